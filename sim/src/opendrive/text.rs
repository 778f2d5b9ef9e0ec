//! From a file's bytes to its text, whatever encoding a tool wrote it in.

use crate::road::{NoteKind, RoadError};
use std::borrow::Cow;

/// How far into a file its XML declaration is looked for, bytes.
const HEAD: usize = 256;
/// Windows-1252 from 0x80 to 0x9F, the only places where it differs from ISO-8859-1, which has control characters there
/// that no text contains (Unicode Consortium, CP1252.TXT; the five unassigned bytes stand for themselves).
const WINDOWS_1252: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2C6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}',
    '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}',
    '\u{17E}', '\u{178}',
];
/// How files begin that are packed, and by what.
const PACKED: [(&[u8], &str); 6] = [
    (&[0x1F, 0x8B], "gzip"),
    (b"PK\x03\x04", "zip"),
    (&[0x28, 0xB5, 0x2F, 0xFD], "zstd"),
    (b"BZh", "bzip2"),
    (&[0xFD, b'7', b'z', b'X', b'Z'], "xz"),
    (b"7z\xBC\xAF", "7-zip"),
];

/// A text and what was odd about its bytes.
pub(crate) struct Decoded<'b> {
    pub text: Cow<'b, str>,
    pub oddities: Vec<(NoteKind, String)>,
}

#[derive(Clone, Copy)]
enum Wide {
    Utf16 { big: bool },
    Utf32 { big: bool },
}

/// The text of a road file. Its XML declaration names UTF-8 afterwards, so that the text can be written as it is.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded<'_>, RoadError> {
    if let Some((_, format)) = PACKED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(RoadError::Packed(format));
    }
    let mut oddities = Vec::new();
    let text = match wide(bytes) {
        Some((kind, skip)) => Cow::Owned(from_wide(kind, &bytes[skip..], &mut oddities)),
        None => from_narrow(bytes, &mut oddities),
    };
    Ok(Decoded { text: tidy(text, &mut oddities), oddities })
}

/// UTF-16 and UTF-32 by their byte order mark, or by how `<` looks in them (XML 1.0, appendix F).
fn wide(bytes: &[u8]) -> Option<(Wide, usize)> {
    Some(match bytes {
        [0xFF, 0xFE, 0, 0, ..] => (Wide::Utf32 { big: false }, 4),
        [0, 0, 0xFE, 0xFF, ..] => (Wide::Utf32 { big: true }, 4),
        [b'<', 0, 0, 0, ..] => (Wide::Utf32 { big: false }, 0),
        [0, 0, 0, b'<', ..] => (Wide::Utf32 { big: true }, 0),
        [0xFF, 0xFE, ..] => (Wide::Utf16 { big: false }, 2),
        [0xFE, 0xFF, ..] => (Wide::Utf16 { big: true }, 2),
        [b'<' | b' ' | b'\r' | b'\n' | b'\t', 0, ..] => (Wide::Utf16 { big: false }, 0),
        [0, b'<' | b' ' | b'\r' | b'\n' | b'\t', ..] => (Wide::Utf16 { big: true }, 0),
        _ => return None,
    })
}

fn from_wide(kind: Wide, bytes: &[u8], oddities: &mut Vec<(NoteKind, String)>) -> String {
    let (text, name) = match kind {
        Wide::Utf16 { big } => {
            let unit = |pair: &[u8; 2]| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
            let units = bytes.as_chunks::<2>().0.iter().map(unit);
            let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            (text, if big { "UTF-16, big-endian" } else { "UTF-16, little-endian" })
        }
        Wide::Utf32 { big } => {
            let unit = |four: &[u8; 4]| if big { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) };
            let units = bytes.as_chunks::<4>().0.iter().map(unit);
            let text = units.map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            (text, if big { "UTF-32, big-endian" } else { "UTF-32, little-endian" })
        }
    };
    oddities.push((NoteKind::Encoding, name.to_owned()));
    text
}

/// UTF-8 where the bytes are that, whatever the declaration says; else a Western code page. In all other one-byte and
/// East Asian encodings the markup reads the same and only names come out wrong.
fn from_narrow<'b>(bytes: &'b [u8], oddities: &mut Vec<(NoteKind, String)>) -> Cow<'b, str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]);
    let declared = declared(&head).map_or("", |range| &head[range]).to_ascii_lowercase();
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            if !matches!(&*declared, "" | "utf-8" | "utf8") && !text.is_ascii() {
                oddities.push((NoteKind::Encoding, format!("declared {declared:?}, written in UTF-8")));
            } else if declared.starts_with("utf-16") || declared.starts_with("ucs-2") {
                oddities.push((NoteKind::Encoding, format!("declared {declared:?}, written in one byte a letter")));
            }
            Cow::Borrowed(text)
        }
        Err(error) => {
            let what = match &*declared {
                "iso-8859-1" | "latin1" | "latin-1" | "windows-1252" | "cp1252" => declared.clone(),
                "" | "utf-8" | "utf8" => {
                    format!("not UTF-8 from byte {} on, read as Windows-1252", error.valid_up_to())
                }
                other => format!("{other:?} is not known: read as Windows-1252, names may be wrong"),
            };
            oddities.push((NoteKind::Encoding, what));
            Cow::Owned(bytes.iter().map(|&byte| windows_1252(byte)).collect())
        }
    }
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9F => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Where the XML declaration names the encoding.
fn declared(text: &str) -> Option<std::ops::Range<usize>> {
    let start = text.len() - text.trim_start().len();
    let declaration = text[start..].strip_prefix("<?xml")?.split_once("?>")?.0;
    let from = start + "<?xml".len();
    let after = declaration.find("encoding")? + "encoding".len();
    let value = declaration[after..].trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let length = value[1..].find(quote)?;
    let begin = from + declaration.len() - value.len() + 1;
    Some(begin..begin + length)
}

/// Sets the declaration right and takes away what stands before and after the document and is no part of it.
fn tidy<'b>(mut text: Cow<'b, str>, oddities: &mut Vec<(NoteKind, String)>) -> Cow<'b, str> {
    let ends = text.trim_end_matches(['\0', '\u{1A}']).len();
    if ends < text.len() {
        oddities.push((NoteKind::Xml, format!("{} zero bytes after the end", text.len() - ends)));
        text = Cow::Owned(text[..ends].to_owned());
    }
    if let Some(rest) = text.strip_prefix('\u{FEFF}') {
        text = Cow::Owned(rest.to_owned());
    }
    let start = text.len() - text.trim_start().len();
    if start > 0 && text[start..].starts_with("<?xml") {
        oddities.push((NoteKind::Xml, "blanks before the XML declaration".into()));
        // Overwritten rather than cut, so that lines keep their numbers.
        let end = text.find("?>").map_or(text.len(), |at| at + 2);
        text = Cow::Owned(format!("{}{}{}", &text[..start], " ".repeat(end - start), &text[end..]));
    }
    match declared(&text) {
        Some(range) if !text[range.clone()].eq_ignore_ascii_case("utf-8") => {
            Cow::Owned(format!("{}UTF-8{}", &text[..range.start], &text[range.end..]))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n<OpenDRIVE name=\"Hauptstra\u{df}e \u{1F697}\"/>";

    fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        let units = mark.into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn utf16_is_read_in_both_orders_with_and_without_a_mark() {
        for (big, mark) in [(false, false), (false, true), (true, false), (true, true)] {
            let bytes = utf16(TEXT, big, mark);
            let decoded = decode(&bytes).unwrap();
            assert_eq!(decoded.text, TEXT.replace("UTF-16", "UTF-8"));
            assert_eq!(decoded.oddities.len(), 1);
        }
        let wide: Vec<u8> = TEXT.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(decode(&wide).unwrap().text, TEXT.replace("UTF-16", "UTF-8"));
    }

    #[test]
    fn western_code_pages_are_read_whether_declared_or_not() {
        for (declaration, notes) in [("ISO-8859-1", 1), ("windows-1252", 1), ("UTF-8", 1), ("KOI8-R", 1)] {
            let mut bytes = format!("<?xml version='1.0' encoding='{declaration}'?><a b='Stra").into_bytes();
            bytes.extend(b"\xDFe \x80'/>");
            let decoded = decode(&bytes).unwrap();
            assert_eq!(decoded.text, "<?xml version='1.0' encoding='UTF-8'?><a b='Stra\u{df}e \u{20AC}'/>");
            assert_eq!(decoded.oddities.len(), notes, "{declaration}");
        }
    }

    #[test]
    fn utf8_is_taken_as_it_is_with_a_mark_or_a_wrong_declaration() {
        let plain = "<?xml version=\"1.0\" encoding=\"utf-8\"?><a b=\"\u{e9}\"/>";
        let decoded = decode(plain.as_bytes()).unwrap();
        assert!(matches!(decoded.text, Cow::Borrowed(text) if text == plain) && decoded.oddities.is_empty());
        let marked = format!("\u{FEFF}{plain}");
        assert_eq!(decode(marked.as_bytes()).unwrap().text, plain);
        let wrong = decode(TEXT.as_bytes()).unwrap();
        assert_eq!((&*wrong.text, wrong.oddities.len()), (&*TEXT.replace("UTF-16", "UTF-8"), 1));
    }

    #[test]
    fn blanks_before_and_zeros_after_the_document_are_taken_away() {
        let decoded = decode(b"\n\n<?xml version=\"1.0\"?>\n<a/>\0\0\x1A").unwrap();
        assert_eq!(decoded.text.trim(), "<a/>");
        assert_eq!((decoded.text.lines().count(), decoded.oddities.len()), (4, 2));
    }

    #[test]
    fn packed_files_are_named() {
        let error = decode(&[0x1F, 0x8B, 8, 0]).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("gzip")));
        for bytes in [&b""[..], b"<", b"\xFF\xFE", b"\xFF\xFE<", b"\0<\0", b"\xEF\xBB", b"<?xml encoding=\"", b"\0"] {
            assert!(decode(bytes).is_ok());
        }
    }
}
