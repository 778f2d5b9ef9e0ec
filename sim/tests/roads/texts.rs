//! Small OpenDRIVE files written by hand.

/// A whole file around the given roads and junctions.
pub fn file(body: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<OpenDRIVE>\n<header revMajor=\"1\" revMinor=\"6\"/>\n{body}\n</OpenDRIVE>\n")
}

/// A straight road eastwards along y = 0 that begins at `x`.
pub fn road(id: &str, attributes: &str, x: f64, length: f64, link: &str, sections: &str) -> String {
    format!(
        "<road id=\"{id}\" junction=\"-1\" length=\"{length}\" {attributes}>\n<link>{link}</link>\n<planView>\
         <geometry s=\"0\" x=\"{x}\" y=\"0\" hdg=\"0\" length=\"{length}\"><line/></geometry></planView>\n\
         <lanes>{sections}</lanes>\n</road>"
    )
}

/// A lane of constant width.
pub fn lane(id: i32, kind: &str, width: f64, inner: &str) -> String {
    format!(
        "<lane id=\"{id}\" type=\"{kind}\">{inner}<width sOffset=\"0\" a=\"{width}\" b=\"0\" c=\"0\" d=\"0\"/></lane>"
    )
}

/// A section with lanes on both sides.
pub fn section(s: f64, left: &str, right: &str) -> String {
    format!(
        "<laneSection s=\"{s}\"><left>{left}</left><center><lane id=\"0\" type=\"none\"><roadMark sOffset=\"0\" \
         type=\"broken\"/></lane></center><right>{right}</right></laneSection>"
    )
}

/// A straight two-way road of 100 m.
pub fn two_way(attributes: &str) -> String {
    let mark = "<roadMark sOffset=\"0\" type=\"solid\"/>";
    let lanes = section(0.0, &lane(1, "driving", 3.5, mark), &lane(-1, "driving", 3.0, mark));
    file(&road("1", attributes, 0.0, 100.0, "", &lanes))
}
