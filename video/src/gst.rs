//! H.264 encoding with whatever GStreamer has: NVENC, VA-API, V4L2, Jetson, or a codec on the CPU.

use super::gst_elements::{Bitrate, ELEMENTS, Element, Window};
use super::{EncodedFrame, H264Config, I420, Reference, VideoEncoder};
use crate::VideoError;
use bytes::Bytes;
use gstreamer::prelude::*;
use gstreamer::{ClockTime, ElementFactory, FlowError, glib};
use gstreamer_app::{AppSink, AppSrc};

/// Hardware takes its time to start; later a picture that does not come out at once comes with the next one.
const FIRST_WAIT: ClockTime = ClockTime::from_seconds(5);
const WAIT: ClockTime = ClockTime::from_mseconds(100);

/// An encoder of GStreamer's, made to add no delay.
///
/// It knows no long-term references, so that [`Reference::Acknowledged`] gives a keyframe.
#[derive(Debug)]
pub struct GstEncoder {
    config: H264Config,
    element: &'static Element,
    /// The frame rate that the element was made for.
    made_for_fps: f64,
    pipeline: gstreamer::Pipeline,
    encoder: gstreamer::Element,
    source: AppSrc,
    sink: AppSink,
    keyframe_us: Option<u64>,
    started: bool,
}

impl GstEncoder {
    /// Makes an encoder out of the element named, or of the first there is: Jetson, NVENC, VA-API, V4L2, OpenMAX, x264,
    /// OpenH264.
    ///
    /// # Errors
    /// When the size, rate or bitrate cannot be encoded, when there is no such element, or when it does not start.
    pub fn new(name: Option<&str>, config: H264Config) -> Result<Self, VideoError> {
        let config = config.checked()?;
        let wanted = name.unwrap_or("H.264 encoder");
        gstreamer::init().map_err(|error| failed(wanted, &error))?;
        let element = ELEMENTS
            .iter()
            .find(|element| name.map_or_else(|| ElementFactory::find(element.name).is_some(), |n| n == element.name))
            .ok_or_else(|| failed(wanted, &"none known and installed"))?;
        let failed = |error: &dyn std::fmt::Display| failed(element.name, error);
        let make = |name: &str| ElementFactory::make(name).build().map_err(|error| failed(&error));
        let (convert, encoder, parse) = (make(element.convert)?, make(element.name)?, make("h264parse")?);
        // Parameter sets with each keyframe.
        set(&parse, "config-interval", "-1");
        for (property, value) in element.properties {
            set(&encoder, property, value);
        }
        let (source, sink) = (source(&config), sink());
        let pipeline = gstreamer::Pipeline::new();
        let profile = make("capsfilter")?;
        if element.baseline {
            set(&profile, "caps", "video/x-h264,profile=constrained-baseline");
        }
        let chain = [source.upcast_ref(), &convert, &encoder, &profile, &parse, sink.upcast_ref()];
        pipeline.add_many(chain).and_then(|()| gstreamer::Element::link_many(chain)).map_err(|error| failed(&error))?;
        let made_for_fps = config.fps;
        let mut made =
            Self { config, element, made_for_fps, pipeline, encoder, source, sink, keyframe_us: None, started: false };
        made.tell_bitrate();
        made.pipeline.set_state(gstreamer::State::Playing).map_err(|_| made.failure(&"it does not start"))?;
        Ok(made)
    }

    /// Name of the element in use.
    #[must_use]
    pub fn element(&self) -> &'static str {
        self.element.name
    }

    fn tell_bitrate(&mut self) {
        // The element goes on sharing out among the pictures it was made for; telling it a new rate would restart it.
        let bps = f64::from(self.config.bitrate_bps) * self.made_for_fps / self.config.fps;
        match self.element.bitrate {
            Bitrate::Property(name, unit) => set(&self.encoder, name, &format!("{}", bps as u64 / u64::from(unit))),
            Bitrate::Control(name) => {
                set(&self.encoder, "extra-controls", &format!("controls,{name}={},video_b_frames=0", bps as u64));
            }
        }
        match self.element.window {
            Some(Window::Milliseconds(name)) => set(&self.encoder, name, &format!("{:.0}", 1e3 / self.made_for_fps)),
            Some(Window::Kilobits(name)) => set(&self.encoder, name, &format!("{:.0}", bps / self.made_for_fps / 1e3)),
            None => {}
        }
    }

    fn force_keyframe(&self) {
        let request = gstreamer::Structure::builder("GstForceKeyUnit")
            .field("running-time", ClockTime::NONE)
            .field("all-headers", true)
            .field("count", 0u32)
            .build();
        if let Some(pad) = self.encoder.static_pad("src") {
            pad.send_event(gstreamer::event::CustomUpstream::new(request));
        }
    }

    /// What the pipeline says went wrong, or else `otherwise`.
    fn failure(&self, otherwise: &dyn std::fmt::Display) -> VideoError {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gstreamer::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gstreamer::MessageView::Error(error)) => failed(self.element.name, &error.error()),
            _ => failed(self.element.name, otherwise),
        }
    }

    fn pull(&mut self) -> Result<Option<EncodedFrame>, VideoError> {
        let wait = if self.started { WAIT } else { FIRST_WAIT };
        let Some(sample) = self.sink.try_pull_sample(wait) else {
            let failed =
                self.sink.is_eos() || self.pipeline.current_state() != gstreamer::State::Playing || !self.started;
            return if failed { Err(self.failure(&"no picture comes out")) } else { Ok(None) };
        };
        self.started = true;
        let buffer = sample.buffer().ok_or_else(|| self.failure(&"a picture without data"))?;
        // Encoders shift presentation times; the running time stays what went in.
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<ClockTime>());
        let running = segment.zip(buffer.pts()).and_then(|(segment, pts)| segment.to_running_time(pts));
        let capture_us = running.ok_or_else(|| self.failure(&"a picture without a time"))?.useconds();
        let keyframe = !buffer.flags().contains(gstreamer::BufferFlags::DELTA_UNIT);
        let map = buffer.map_readable().map_err(|error| self.failure(&error))?;
        let data = Bytes::copy_from_slice(map.as_slice());
        if keyframe {
            self.keyframe_us = Some(capture_us);
        }
        Ok(Some(EncodedFrame { data, capture_us, keyframe, ..Default::default() }))
    }
}

fn failed(element: &str, reason: &dyn std::fmt::Display) -> VideoError {
    VideoError::Gstreamer { element: element.to_owned(), reason: reason.to_string() }
}

/// Sets a property from text; one that the element does not have or that has other values is left as it is.
fn set(element: &gstreamer::Element, name: &str, value: &str) {
    let Some(property) = element.find_property(name) else { return };
    match glib::Value::deserialize(value, property.value_type()) {
        Ok(value) => element.set_property_from_value(name, &value),
        Err(error) => tracing::warn!(%error, element = %element.name(), name, value, "not set"),
    }
}

fn source(config: &H264Config) -> AppSrc {
    let side = |pixels: usize| i32::try_from(pixels).unwrap_or(0);
    let caps = gstreamer::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", side(config.width))
        .field("height", side(config.height))
        .field("framerate", gstreamer::Fraction::new((config.fps * 1000.0).round() as i32, 1000))
        .field("interlace-mode", "progressive")
        .build();
    AppSrc::builder().caps(&caps).format(gstreamer::Format::Time).is_live(true).block(false).build()
}

fn sink() -> AppSink {
    let caps = gstreamer::Caps::builder("video/x-h264").field("stream-format", "byte-stream").field("alignment", "au");
    AppSink::builder().caps(&caps.build()).sync(false).build()
}

/// The planes one after the other, with the row lengths that GStreamer gives I420: multiples of four.
fn pack(picture: &I420<'_>) -> Vec<u8> {
    let mut packed = Vec::with_capacity(picture.width * picture.height * 2);
    for (plane, width) in [(picture.y, picture.width), (picture.u, picture.width / 2), (picture.v, picture.width / 2)] {
        for row in plane.chunks_exact(width) {
            packed.extend_from_slice(row);
            packed.resize(packed.len() + width.next_multiple_of(4) - width, 0);
        }
    }
    packed
}

impl VideoEncoder for GstEncoder {
    fn encode(
        &mut self,
        picture: I420<'_>,
        capture_us: u64,
        reference: Reference,
    ) -> Result<Option<EncodedFrame>, VideoError> {
        self.config.check_picture(&picture)?;
        if reference != Reference::Previous || self.config.keyframe_due(self.keyframe_us, capture_us) {
            self.force_keyframe();
        }
        let mut buffer = gstreamer::Buffer::from_mut_slice(pack(&picture));
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(ClockTime::from_useconds(capture_us));
            buffer.set_duration(ClockTime::from_nseconds((1e9 / self.config.fps) as u64));
        }
        match self.source.push_buffer(buffer) {
            Ok(_) => self.pull(),
            Err(FlowError::Flushing | FlowError::Eos) => Err(self.failure(&"it has ended")),
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn acknowledge(&mut self, _capture_us: u64) {}

    fn config(&self) -> &H264Config {
        &self.config
    }

    fn reconfigure(&mut self, config: H264Config) -> Result<(), VideoError> {
        self.config = config;
        self.tell_bitrate();
        Ok(())
    }
}

impl Drop for GstEncoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gstreamer::State::Null);
    }
}
