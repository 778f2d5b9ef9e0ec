// I420 with the limited range of ITU-R BT.709, as three textures of one channel each, to linear RGB.
#import bevy_pbr::forward_io::VertexOutput

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var luma: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var chroma_u: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(2) var chroma_v: texture_2d<f32>;
@group(#{MATERIAL_BIND_GROUP}) @binding(3) var linear_sampler: sampler;

// The window's surface encodes to sRGB again, so undo here what the camera's picture already has.
fn srgb_to_linear(c: vec3<f32>) -> vec3<f32> {
    let low = c / 12.92;
    let high = pow((c + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, c <= vec3<f32>(0.04045));
}

@fragment
fn fragment(in: VertexOutput) -> @location(0) vec4<f32> {
    let y = (textureSample(luma, linear_sampler, in.uv).r * 255.0 - 16.0) / 219.0;
    let u = (textureSample(chroma_u, linear_sampler, in.uv).r * 255.0 - 128.0) / 224.0;
    let v = (textureSample(chroma_v, linear_sampler, in.uv).r * 255.0 - 128.0) / 224.0;
    // Kr = 0.2126, Kb = 0.0722.
    let rgb = vec3<f32>(y + 1.5748 * v, y - 0.187324 * u - 0.468124 * v, y + 1.8556 * u);
    return vec4<f32>(srgb_to_linear(clamp(rgb, vec3<f32>(0.0), vec3<f32>(1.0))), 1.0);
}
