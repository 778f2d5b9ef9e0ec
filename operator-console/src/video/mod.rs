//! The live picture behind the interface: three single-channel textures that a shader turns into colours, so that no
//! pixel is converted on the CPU.

#![allow(clippy::needless_pass_by_value, reason = "the engine hands a system its parameters by value")]

mod plane;

pub use plane::{fits, letterbox};

use crate::Shared;
use bevy::asset::{RenderAssetUsages, load_internal_asset, uuid_handle};
use bevy::camera::{Camera3d, OrthographicProjection, Projection, ScalingMode};
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::prelude::*;
use bevy::reflect::TypePath;
use bevy::render::render_resource::{AsBindGroup, Extent3d, TextureDimension, TextureFormat};
use bevy::shader::ShaderRef;
use bevy::window::PrimaryWindow;
use std::sync::Arc;
use video::DecodedPicture;

const SHADER: Handle<Shader> = uuid_handle!("0f0b7f0e-6c0f-4a50-9d2e-7a4f5f3b8c11");

/// The slots shared with the seat's thread.
#[derive(Resource, Clone)]
pub struct Slots(pub Arc<Shared>);

#[derive(Asset, TypePath, AsBindGroup, Debug, Clone)]
struct VideoMaterial {
    #[texture(0)]
    #[sampler(3)]
    y: Handle<Image>,
    #[texture(1)]
    u: Handle<Image>,
    #[texture(2)]
    v: Handle<Image>,
}

impl Material for VideoMaterial {
    fn fragment_shader() -> ShaderRef {
        ShaderRef::Handle(SHADER)
    }

    fn enable_prepass() -> bool {
        false
    }

    fn enable_shadows() -> bool {
        false
    }
}

/// The surface that the picture is drawn on.
#[derive(Component)]
struct Screen {
    material: Handle<VideoMaterial>,
    size: (usize, usize),
}

/// Shows the newest picture of [`Slots`], letterboxed in the window.
pub struct VideoPlugin;

impl Plugin for VideoPlugin {
    fn build(&self, app: &mut App) {
        load_internal_asset!(app, SHADER, "video.wgsl", Shader::from_wgsl);
        app.add_plugins(MaterialPlugin::<VideoMaterial>::default())
            .insert_resource(ClearColor(Color::srgb(0.05, 0.06, 0.07)))
            .add_systems(Startup, set_up)
            .add_systems(Update, (upload, fit).chain());
    }
}

fn image(width: usize, height: usize, data: Vec<u8>) -> Image {
    let size = Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 };
    // Kept on the GPU only: each picture is uploaded once and never read again.
    Image::new(size, TextureDimension::D2, data, TextureFormat::R8Unorm, RenderAssetUsages::RENDER_WORLD)
}

fn set_up(
    mut commands: Commands,
    mut images: ResMut<Assets<Image>>,
    mut materials: ResMut<Assets<VideoMaterial>>,
    mut meshes: ResMut<Assets<Mesh>>,
) {
    let mut plane = |value: u8| images.add(image(2, 2, vec![value; 4]));
    let material = materials.add(VideoMaterial { y: plane(16), u: plane(128), v: plane(128) });
    commands.spawn((
        Mesh3d(meshes.add(Rectangle::new(1.0, 1.0))),
        MeshMaterial3d(material.clone()),
        Transform::default(),
        Visibility::Hidden,
        Screen { material, size: (2, 2) },
    ));
    // One unit is one logical pixel.
    let projection =
        OrthographicProjection { scaling_mode: ScalingMode::WindowSize, ..OrthographicProjection::default_3d() };
    commands.spawn((
        Camera3d::default(),
        Projection::Orthographic(projection),
        Transform::from_xyz(0.0, 0.0, 10.0),
        Msaa::Off,
        Tonemapping::None,
    ));
}

fn upload(
    slots: Res<Slots>,
    mut images: ResMut<Assets<Image>>,
    mut materials: ResMut<Assets<VideoMaterial>>,
    screen: Single<(&mut Screen, &mut Visibility)>,
) {
    let Some(picture) = slots.0.take_picture() else { return };
    if !fits(&picture) {
        warn!("picture of {}x{} with planes of other sizes left out", picture.width, picture.height);
        return;
    }
    let (mut screen, mut visibility) = screen.into_inner();
    let (capture_us, decoded_us) = (picture.capture_us, picture.decoded_us);
    let resized = screen.size != (picture.width, picture.height);
    screen.size = (picture.width, picture.height);
    // A new size makes new textures; the material must be touched for its bindings to follow.
    let handles = if resized {
        materials.get_mut(&screen.material).map(|material| material.into_inner().clone())
    } else {
        materials.get(&screen.material).cloned()
    };
    let Some(material) = handles else { return };
    let DecodedPicture { width, height, y, u, v, .. } = picture;
    for (handle, width, height, data) in [
        (&material.y, width, height, y),
        (&material.u, width / 2, height / 2, u),
        (&material.v, width / 2, height / 2, v),
    ] {
        let Some(mut plane) = images.get_mut(handle) else { continue };
        if resized {
            *plane = image(width, height, data);
        } else {
            plane.data = Some(data);
        }
    }
    *visibility = Visibility::Visible;
    slots.0.mark_shown(capture_us, decoded_us);
}

fn fit(window: Single<&Window, With<PrimaryWindow>>, screen: Single<(&Screen, &mut Transform)>) {
    let (screen, mut transform) = screen.into_inner();
    let (width, height) = letterbox(screen.size, (window.width(), window.height()));
    let scale = Vec3::new(width, height, 1.0);
    if transform.scale != scale {
        transform.scale = scale;
    }
}
