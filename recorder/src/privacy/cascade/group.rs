//! Many windows about one thing, made one.

use super::Window;

/// Groups windows that nearly agree (each side within a fifth of the smaller one's size) and returns the mean of every
/// group of at least `least`, with the group's size.
pub(crate) fn group(windows: &[Window], least: usize) -> Vec<(Window, usize)> {
    let mut groups: Vec<Vec<Window>> = Vec::new();
    for window in windows {
        // All groups that it touches become one.
        let (touched, mut rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(|other| similar(window, other)));
        let mut joined: Vec<Window> = touched.into_iter().flatten().collect();
        joined.push(*window);
        rest.push(joined);
        groups = rest;
    }
    groups.iter().filter(|group| group.len() >= least).map(|group| (mean(group), group.len())).collect()
}

fn similar(a: &Window, b: &Window) -> bool {
    let slack = 0.1 * (a.width.min(b.width) + a.height.min(b.height));
    [a.x - b.x, a.y - b.y, a.x + a.width - b.x - b.width, a.y + a.height - b.y - b.height]
        .iter()
        .all(|distance| distance.abs() <= slack)
}

fn mean(group: &[Window]) -> Window {
    let of = |side: fn(&Window) -> f32| group.iter().map(side).sum::<f32>() / group.len() as f32;
    Window { x: of(|w| w.x), y: of(|w| w.y), width: of(|w| w.width), height: of(|w| w.height) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_about_one_thing_become_their_mean_and_lone_ones_go() {
        let at = |x: f32, width: f32| Window { x, y: 10.0, width, height: width };
        let found = group(&[at(10.0, 20.0), at(200.0, 30.0), at(12.0, 20.0), at(14.0, 20.0), at(300.0, 20.0)], 2);
        assert_eq!(found, [(at(12.0, 20.0), 3)]);
        assert_eq!(group(&[at(300.0, 20.0)], 1).len(), 1);
    }
}
