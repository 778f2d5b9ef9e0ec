//! The vehicle's question: which way? A map from above with the ways that it offers, and a button for each.

use super::view::{Clicks, Hud};
use crate::input::Action;
use crate::seat::PathChoice;
use crate::tokens;
use bevy_egui::egui::{Align2, Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};
use protocol::{Embodiment, v1};

/// Places in metres in the vehicle's frame when it asked: x ahead, y to the left.
type Line = Vec<[f32; 2]>;

/// What is asked, ready to draw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PathOverlay {
    /// The question.
    pub text: String,
    /// What each way is called.
    pub labels: Vec<String>,
    /// The ways.
    pub paths: Vec<Line>,
    /// Edges of road and lane.
    pub edges: Vec<Line>,
    /// Outlines of what stands or moves there.
    pub things: Vec<Line>,
    /// Outline of the robot; nothing where it is not known.
    pub own: Line,
}

/// What is shown behind the vehicle and to each side of it, metres. Across is stretched: lanes are narrow.
const BEHIND_M: f32 = 6.0;
const ASIDE_M: f32 = 9.0;
const WIDTH: f32 = 300.0;
const MAP_HEIGHT: f32 = 170.0;
const ROW: f32 = 30.0;

impl PathOverlay {
    /// Of a question as it was asked. Points that are no numbers are left out.
    #[must_use]
    pub fn of(choice: &PathChoice) -> Self {
        let sound = |line: Line| line.into_iter().filter(|[x, y]| x.is_finite() && y.is_finite()).collect();
        let offered = choice.question.paths.iter().take(Action::PATHS.len());
        let label = |(n, path): (usize, &v1::CandidatePath)| match path.label.as_str() {
            "" => format!("{}: way {}", n + 1, n + 1),
            label => format!("{}: {label}", n + 1),
        };
        let around = choice.surroundings.as_ref();
        let corridor = around.map_or(&[][..], |s| &s.corridor);
        let edge = |side: fn(&v1::CorridorPoint) -> f32| {
            let at = |p: &v1::CorridorPoint| {
                let (sin, cos) = p.heading_rad.sin_cos();
                [p.x_m - side(p) * sin, p.y_m + side(p) * cos]
            };
            sound(corridor.iter().map(at).collect())
        };
        Self {
            text: choice.question.text.clone(),
            labels: offered.clone().enumerate().map(label).collect(),
            paths: offered.map(|path| sound(path.points.iter().map(|p| [p.x_m, p.y_m]).collect())).collect(),
            edges: vec![edge(|p| p.road_left_m), edge(|p| -p.road_right_m)],
            things: around.map_or(&[][..], |s| &s.objects).iter().map(|thing| sound(outline(thing))).collect(),
            own: choice.robot.as_ref().map_or_else(Vec::new, |robot| own_outline(robot)),
        }
    }
}

fn own_outline(robot: &Embodiment) -> Line {
    let [front, rear, side] = [robot.front_m(), robot.rear_m(), robot.half_width_m()].map(|m| m as f32);
    [[front, side], [front, -side], [-rear, -side], [-rear, side], [front, side]].to_vec()
}

fn outline(thing: &v1::TrackedObject) -> Line {
    let (sin, cos) = thing.heading_rad.sin_cos();
    let corners = [(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)];
    let corner = |(x, y): (f32, f32)| {
        let (x, y) = (x * thing.length_m / 2.0, y * thing.width_m / 2.0);
        [thing.x_m + x * cos - y * sin, thing.y_m + x * sin + y * cos]
    };
    corners.map(corner).to_vec()
}

impl Hud {
    /// Draws the question with its upper right corner at `corner`.
    pub(super) fn overlay(&self, ui: &Ui, overlay: &PathOverlay, corner: Pos2, clicks: &mut Clicks) {
        let painter = ui.painter().clone();
        let inner = self.px(WIDTH - 24.0);
        let words = painter.layout(overlay.text.clone(), self.font(15.0), tokens::YELLOW, inner);
        let rows = overlay.labels.len() as f32 + 1.0;
        let height = words.size().y + self.px(MAP_HEIGHT + rows * (ROW + 4.0) + 28.0);
        let panel = Rect::from_min_size(corner - vec2(self.px(WIDTH), 0.0), vec2(self.px(WIDTH), height));
        painter.rect_filled(panel, self.px(6.0), tokens::PANEL);
        let mut at = panel.min + vec2(self.px(12.0), self.px(8.0));
        let below = words.size().y + self.px(6.0);
        painter.galley(at, words, tokens::YELLOW);
        at.y += below;
        let map = Rect::from_min_size(at, vec2(inner, self.px(MAP_HEIGHT)));
        self.map(&painter.with_clip_rect(map), overlay, map);
        at.y += self.px(MAP_HEIGHT + 8.0);
        let answers = overlay.labels.iter().map(String::as_str).zip(Action::PATHS);
        for (label, action) in answers.chain([("X: none of these, wait", Action::Decline)]) {
            let row = Rect::from_min_size(at, vec2(inner, self.px(ROW)));
            if self.button(ui, row, label, tokens::GREY, 15.0).clicked() {
                clicks.actions.push(action);
            }
            at.y += self.px(ROW + 4.0);
        }
    }

    fn map(&self, painter: &bevy_egui::egui::Painter, overlay: &PathOverlay, map: Rect) {
        let far = overlay.paths.iter().flatten().map(|[x, _]| *x).fold(20.0, f32::max) + 4.0;
        let place = |[x, y]: [f32; 2]| {
            let across = map.center().x - y / ASIDE_M * map.width() / 2.0;
            pos2(across, map.top() + (far - x) / (far + BEHIND_M) * map.height())
        };
        let line = |line: &Line, width: f32, colour| {
            let points = line.iter().map(|p| place(*p)).collect();
            painter.add(Shape::line(points, Stroke::new(self.px(width), colour)));
        };
        overlay.edges.iter().for_each(|edge| line(edge, 1.5, tokens::MUTED));
        overlay.things.iter().for_each(|thing| line(thing, 2.0, tokens::VERMILLION));
        line(&overlay.own, 2.0, tokens::TEXT);
        for (n, path) in overlay.paths.iter().enumerate() {
            line(path, 2.5, tokens::SKY);
            if let Some(end) = path.last() {
                let number = (n + 1).to_string();
                painter.text(place(*end), Align2::CENTER_BOTTOM, number, self.font(15.0), tokens::YELLOW);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_has_a_name_and_what_is_no_number_is_left_out() {
        let point = |x_m, y_m| v1::Waypoint { x_m, y_m };
        let path = |label: &str, points| v1::CandidatePath { id: 7, label: label.to_owned(), points };
        let paths = vec![path("left of the van", vec![point(1.0, f32::NAN), point(2.0, 3.0)]), path("", vec![])];
        let thing = v1::TrackedObject { x_m: 10.0, length_m: 4.0, width_m: 2.0, ..Default::default() };
        let around = v1::Surroundings {
            corridor: vec![v1::CorridorPoint { x_m: 5.0, road_left_m: 4.0, road_right_m: 2.0, ..Default::default() }],
            objects: vec![thing],
            ..Default::default()
        };
        let question = v1::PathQuestion { id: 1, text: "Which way?".to_owned(), paths, ..Default::default() };
        let robot = Some(Embodiment::delivery_robot().into());
        let overlay = PathOverlay::of(&PathChoice { question, surroundings: Some(around), robot });
        assert_eq!(overlay.labels, ["1: left of the van", "2: way 2"]);
        assert_eq!(overlay.paths, [vec![[2.0, 3.0]], vec![]]);
        assert_eq!(overlay.edges, [vec![[5.0, 4.0]], vec![[5.0, -2.0]]]);
        assert_eq!(overlay.things[0][..2], [[12.0, 1.0], [12.0, -1.0]]);
        assert_eq!(overlay.own[..3], [[0.35, 0.275], [0.35, -0.275], [-0.35, -0.275]]);
    }
}
