//! A trained cascade as OpenCV keeps it in XML (`opencv-cascade-classifier`, boosted trees over Haar-like features).
//!
//! P. Viola, M. Jones: Rapid object detection using a boosted cascade of simple features, CVPR 2001; R. Lienhart,
//! J. Maydt: An extended set of Haar-like features, ICIP 2002.

use roxmltree::{Document, Node, ParsingOptions};

/// Rectangle within the window and what its sum counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rectangle {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
    pub weight: f32,
}

/// Up to three rectangles; those not there have no weight.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Feature {
    pub rectangles: [Rectangle; 3],
}

/// A decision; branches above 0 are nodes of the tree, others leaves by their negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decision {
    pub feature: usize,
    pub threshold: f32,
    pub below: i32,
    pub above: i32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    pub decisions: Vec<Decision>,
    pub leaves: Vec<f32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    pub threshold: f32,
    pub trees: Vec<Tree>,
}

/// A trained cascade.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cascade {
    /// Window, pixels.
    pub width: usize,
    /// Window, pixels.
    pub height: usize,
    pub(super) stages: Vec<Stage>,
    pub(super) features: Vec<Feature>,
}

impl Cascade {
    /// Reads the XML text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let options = ParsingOptions { allow_dtd: false, nodes_limit: 2_000_000, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
        let top = document.descendants().find(|node| node.has_tag_name("cascade")).ok_or("it has no cascade")?;
        if word(top, "featureType")? != "HAAR" {
            return Err("its features are not of type HAAR".to_owned());
        }
        let (width, height) = (number(word(top, "width")?)?, number(word(top, "height")?)?);
        if !(8..=256_usize).contains(&width) || !(8..=256_usize).contains(&height) {
            return Err(format!("its window has {width}x{height} pixels"));
        }
        let features = items(child(top, "features")?).map(|node| feature(node, width, height));
        let features = features.collect::<Result<Vec<_>, _>>()?;
        let stages = items(child(top, "stages")?).map(|node| stage(node, features.len()));
        let stages = stages.collect::<Result<Vec<_>, _>>()?;
        if stages.is_empty() {
            return Err("it has no stages".to_owned());
        }
        Ok(Self { width, height, stages, features })
    }

    /// The cascade for pictures seen in a mirror.
    pub fn mirrored(&self) -> Self {
        let mut turned = self.clone();
        for rectangle in turned.features.iter_mut().flat_map(|feature| &mut feature.rectangles) {
            rectangle.x = self.width - rectangle.x - rectangle.width;
        }
        turned
    }
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, String> {
    node.children().find(|child| child.has_tag_name(name)).ok_or_else(|| format!("{name:?} is missing in it"))
}

fn items<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(|child| child.has_tag_name("_"))
}

fn word<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, String> {
    Ok(child(node, name)?.text().unwrap_or_default().trim())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number that fits there"))
}

fn float(text: &str) -> Result<f32, String> {
    let value: f32 = number(text)?;
    if value.is_finite() { Ok(value) } else { Err(format!("{text:?} is not a number to count with")) }
}

fn stage(node: Node<'_, '_>, features: usize) -> Result<Stage, String> {
    let trees = items(child(node, "weakClassifiers")?).map(|node| tree(node, features));
    // A little less, as the trainer's own evaluation does: sums in another order differ in the last digit.
    Ok(Stage { threshold: float(word(node, "stageThreshold")?)? - 1e-5, trees: trees.collect::<Result<_, _>>()? })
}

fn tree(node: Node<'_, '_>, features: usize) -> Result<Tree, String> {
    let leaves: Vec<f32> = word(node, "leafValues")?.split_whitespace().map(float).collect::<Result<_, _>>()?;
    let words: Vec<&str> = word(node, "internalNodes")?.split_whitespace().collect();
    let mut decisions = Vec::new();
    for (index, fields) in words.chunks(4).enumerate() {
        let &[below, above, feature, threshold] = fields else { return Err("a tree's node is cut off".to_owned()) };
        let (below, above): (i32, i32) = (number(below)?, number(above)?);
        for branch in [below, above] {
            // Only forwards, so that every walk ends.
            let node = branch > index as i32 && (branch as usize) < words.len() / 4;
            let leaf = branch <= 0 && (branch.unsigned_abs() as usize) < leaves.len();
            if !node && !leaf {
                return Err(format!("a tree's branch goes to {branch}"));
            }
        }
        let feature: usize = number(feature)?;
        if feature >= features {
            return Err(format!("a tree asks for feature {feature} of {features}"));
        }
        decisions.push(Decision { feature, threshold: float(threshold)?, below, above });
    }
    if decisions.is_empty() { Err("a tree has no node".to_owned()) } else { Ok(Tree { decisions, leaves }) }
}

fn feature(node: Node<'_, '_>, width: usize, height: usize) -> Result<Feature, String> {
    if child(node, "tilted").ok().and_then(|n| n.text()).is_some_and(|text| text.trim() == "1") {
        return Err("it has tilted features, which are not evaluated".to_owned());
    }
    let mut rectangles = [Rectangle::default(); 3];
    for (count, item) in items(child(node, "rects")?).enumerate() {
        let words: Vec<&str> = item.text().unwrap_or_default().split_whitespace().collect();
        let &[x, y, w, h, weight] = &words[..] else { return Err("a rectangle has not five numbers".to_owned()) };
        let slot = rectangles.get_mut(count).ok_or("a feature has more than three rectangles")?;
        let (x, y, w, h) = (number(x)?, number(y)?, number(w)?, number(h)?);
        *slot = Rectangle { x, y, width: w, height: h, weight: float(weight)? };
        let sides = [x, y, w, h];
        let inside = sides.iter().all(|side| *side <= 256) && x + w <= width && y + h <= height;
        if !inside {
            return Err(format!("a rectangle {sides:?} leaves the window of {width}x{height}"));
        }
    }
    Ok(Feature { rectangles })
}
