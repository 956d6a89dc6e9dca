//! Sleeves made of words, and the caption that any other sleeve may carry.

use super::letters::Face;
use super::path::{Cap, Path, Point};
use super::{Canvas, Rgb, Sitting};

/// Where artist and title stand, and how high their capitals are.
#[derive(Clone, Copy)]
pub(super) enum Place {
    TopLeft {
        height: f32,
    },
    BottomLeft {
        height: f32,
    },
    BottomRight {
        height: f32,
    },
    TopCentre {
        height: f32,
    },
    BottomCentre {
        height: f32,
    },
    /// One line at the very top: artist to the left, title to the right.
    TopLine {
        height: f32,
    },
}

/// The margin of a caption.
const MARGIN: f32 = 0.06;

/// A title of more lines than this is cut off, as a printer would.
const LINES_MAX: usize = 4;

/// Writes artist and title. A text that our letters cannot spell is left out: many sleeves bear none.
pub(super) fn caption(canvas: &mut Canvas, s: &Sitting, place: Place, colour: Rgb) {
    let bold = |height| Face::new(height, 0.17).spaced(0.05);
    let thin = |height: f32| Face::new(height * 0.72, 0.12).spaced(0.14);
    let (height, share, top) = match place {
        Place::TopLeft { height } => (height, 0.0, true),
        Place::BottomLeft { height } => (height, 0.0, false),
        Place::BottomRight { height } => (height, 1.0, false),
        Place::TopCentre { height } => (height, 0.5, true),
        Place::BottomCentre { height } => (height, 0.5, false),
        Place::TopLine { height } => return top_line(canvas, s, height, colour),
    };
    let mut lines = set_lines(&s.artist, bold(height), 1.0 - 2.0 * MARGIN);
    lines.extend(set_lines(&s.title, thin(height), 1.0 - 2.0 * MARGIN));
    let leading = 0.75 * height;
    let total: f32 = lines.iter().map(|(face, _)| face.height + leading).sum::<f32>() - leading;
    let mut y = if top { MARGIN } else { 1.0 - MARGIN - total };
    for (face, text) in lines {
        let x = MARGIN + share * (1.0 - 2.0 * MARGIN - face.measure(&text));
        canvas.fill(&face.set(&text, (x, y)), colour);
        y += face.height + leading;
    }
}

/// A strip of plain ground over the top, as deep as its words need.
pub(super) fn masthead(canvas: &mut Canvas, s: &Sitting, ground: Rgb, colour: Rgb) {
    let height = 0.03;
    let lines = top_lines(s, height);
    let Some((_, y, _, _)) = lines.last() else { return };
    canvas.fill(Path::new().rect((0.0, 0.0), (1.0, y + height + 0.04)), ground);
    top_line(canvas, s, height, colour);
}

fn top_line(canvas: &mut Canvas, s: &Sitting, height: f32, colour: Rgb) {
    for (x, y, face, line) in top_lines(s, height) {
        canvas.fill(&face.set(&line, (x, y)), colour);
    }
}

/// Artist and title beside each other if they fit, else under each other.
fn top_lines(s: &Sitting, height: f32) -> Vec<(f32, f32, Face, String)> {
    let room = 1.0 - 2.0 * MARGIN;
    let face = Face::new(height, 0.15).spaced(0.1);
    if !Face::knows(&s.artist) || !Face::knows(&s.title) {
        return Vec::new();
    }
    let both = face.measure(&s.artist) + face.measure(&s.title) + 0.06;
    if both < room / 0.8 {
        let face = Face { height: height * (room / both).min(1.0), ..face };
        let right = 1.0 - MARGIN - face.measure(&s.title);
        return vec![(MARGIN, MARGIN, face, s.artist.clone()), (right, MARGIN, face, s.title.clone())];
    }
    let mut lines = set_lines(&s.artist, face, room);
    lines.extend(set_lines(&s.title, Face { height: height * 0.85, weight: 0.12, ..face }, room));
    let place =
        |(i, (face, line)): (usize, (Face, String))| (MARGIN, MARGIN + i as f32 * height * 1.75, face, line);
    lines.into_iter().enumerate().map(place).collect()
}

/// The text in lines that fit the room, smaller when a word would not; none if it cannot be spelled.
fn set_lines(text: &str, face: Face, room: f32) -> Vec<(Face, String)> {
    if !Face::knows(text) {
        return Vec::new();
    }
    let widest = text.split(' ').max_by(|a, b| face.measure(a).total_cmp(&face.measure(b)));
    let face = fitted(face, widest.unwrap_or_default(), room);
    let mut lines = wrapped(text, face, room);
    lines.truncate(LINES_MAX);
    lines.into_iter().map(|line| (face, line)).collect()
}

fn wrapped(text: &str, face: Face, room: f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if face.measure(&format!("{line} {word}")) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The face, made smaller if the text is wider than the room.
fn fitted(face: Face, text: &str, room: f32) -> Face {
    let shrink = (room / face.measure(text).max(1e-6)).min(1.0);
    Face { height: face.height * shrink, ..face }
}

/// One huge cropped capital, rules and small print on a grid.
pub(super) fn swiss(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, _, _] = s.palette.tones;
    let (ground, letter) = match s.chance.below(3) {
        0 => (s.palette.paper, a),
        1 => (a, s.palette.paper),
        _ => (b, s.palette.ink),
    };
    canvas.flood(ground);
    let initial: String = s.title.chars().find(|c| c.is_alphanumeric()).into_iter().collect();
    let text = s.palette.legible_on(ground);
    let face = Face::new(s.chance.between(0.84, 1.05), s.chance.between(0.16, 0.24));
    let width = face.measure(&initial);
    let x = if s.chance.happens(0.5) { 1.02 - width } else { s.chance.between(0.28, 0.36) };
    canvas.fill(&face.set(&initial, (x, s.chance.between(0.2, 0.27))), letter);
    if s.chance.happens(0.6) {
        let at = (s.chance.between(0.16, 0.3), s.chance.between(0.62, 0.8));
        canvas.fill(Path::new().disc(at, s.chance.between(0.06, 0.11)), s.palette.tones[2].multiply(1.0));
    }
    for x in [MARGIN, 0.36, 0.66] {
        canvas.fill(Path::new().rect((x, 0.045), (x + 0.25, 0.051)), text);
    }
    small_print(canvas, s, text);
}

fn small_print(canvas: &mut Canvas, s: &Sitting, colour: Rgb) {
    let face = Face::new(0.026, 0.15).spaced(0.06);
    for (x, words) in [(MARGIN, s.artist.as_str()), (0.36, s.title.as_str())] {
        let mut y = 0.075;
        for (face, line) in set_lines(words, face, 0.26) {
            canvas.fill(&face.set(&line, (x, y)), colour);
            y += 0.046;
        }
    }
    let mut y = 0.075;
    for line in ["STEREO", "33 1/3 RPM"] {
        canvas.fill(&face.set(line, (0.66, y)), colour);
        y += 0.046;
    }
}

/// The title as a wall of type: each word as wide as the sleeve, over and over.
pub(super) fn refrain(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.tones;
    let dark = s.chance.happens(0.5);
    let ground = if dark { s.palette.ink } else { s.palette.paper };
    canvas.flood(ground);
    let words: Vec<String> = s.title.split(' ').filter(|word| Face::knows(word)).map(str::to_owned).collect();
    if words.is_empty() {
        return;
    }
    let rows = words.len() * (5usize.div_ceil(words.len()));
    let gap = 0.022;
    let pitch = (1.0 - 2.0 * MARGIN + gap) / rows as f32;
    let plain = s.palette.legible_on(ground);
    let inks = s.chance.shuffled([a, b, plain, c, d]);
    for (row, word) in words.iter().cycle().take(rows).enumerate() {
        let face = filling(word, pitch - gap);
        let colour = inks[(row / words.len() + row) % inks.len()];
        canvas.fill(&face.set(word, (MARGIN, MARGIN + row as f32 * pitch)), colour);
    }
}

/// A face of this height whose letters are as wide as it takes to fill a line.
fn filling(word: &str, height: f32) -> Face {
    let room = 1.0 - 2.0 * MARGIN;
    let face = Face::new(height, 0.2).spaced(-0.06);
    // The width of a line is linear in the letters' width: two measures give it.
    let (one, two) = (face.measure(word), face.wide(2.0).measure(word));
    let width = 1.0 + (room - one) / (two - one).max(1e-6);
    if width >= 0.45 { face.wide(width) } else { fitted(face.wide(0.6), word, room) }
}

/// A company sleeve: card with a hole, the record's label to be seen through it.
pub(super) fn company(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    let centre: Point = (0.5, 0.5);
    let card = if s.chance.happens(0.5) { s.palette.paper.mix(c, 0.25) } else { a.darker(0.1) };
    canvas.flood(card);
    match s.chance.below(3) {
        0 => (0..7).for_each(|i| {
            let radius = 0.31 + 0.06 * i as f32;
            canvas.fill(Path::new().ring(centre, radius, radius - 0.03), b.multiply(0.85));
        }),
        1 => (0..24).for_each(|i| {
            let y = -0.02 + i as f32 / 23.0;
            canvas.fill(Path::new().rect((0.0, y), (1.0, y + 0.02)), b.multiply(0.85));
        }),
        _ => (0..36).for_each(|i| {
            let from = i as f32 / 36.0 * std::f32::consts::TAU;
            canvas.fill(Path::new().sector(centre, (1.0, 0.0), from, from + 0.087), b.multiply(0.85));
        }),
    }
    canvas.fill(Path::new().disc((0.503, 0.506), 0.268), Rgb::BLACK.ink(0.25));
    canvas.fill(Path::new().disc(centre, 0.262), Rgb::hex(0x131313));
    for groove in 0..12 {
        let radius = 0.258 - groove as f32 * 0.0035;
        canvas.fill(Path::new().ring(centre, radius, radius - 0.0012), Rgb::WHITE.ink(0.08));
    }
    canvas.fill(Path::new().disc(centre, 0.212), d);
    canvas.fill(Path::new().sector(centre, (0.212, 0.0), 0.0, std::f32::consts::PI), s.palette.paper);
    canvas.fill(Path::new().line(&[(0.288, 0.5), (0.712, 0.5)], 0.006, Cap::Flat), s.palette.ink);
    label_words(canvas, s, d);
    canvas.fill(Path::new().disc(centre, 0.0155), Rgb::hex(0x0a0a0a));
}

fn label_words(canvas: &mut Canvas, s: &Sitting, ground: Rgb) {
    let upper = s.palette.legible_on(ground);
    for (words, mut y, colour) in [(&s.artist, 0.385, upper), (&s.title, 0.56, s.palette.ink)] {
        for (face, line) in set_lines(words, Face::new(0.026, 0.16).spaced(0.04), 0.3).into_iter().take(3) {
            canvas.fill(&face.set(&line, (0.5 - face.measure(&line) / 2.0, y)), colour);
            y += 0.042;
        }
    }
}

/// Nothing but words: the title from edge to edge, as large as it can be.
pub(super) fn broadside(canvas: &mut Canvas, s: &mut Sitting) {
    let ground = s.chance.pick(&s.palette.tones);
    canvas.flood(ground);
    let (room, top) = (1.0 - 2.0 * MARGIN, 0.17);
    let mut lines = Vec::new();
    let mut face = Face::new(0.16, 0.16).spaced(0.03);
    // From poster to small print in steps of a tenth: 24 of them end at 1/12 of the first.
    for _ in 0..24 {
        lines = wrapped(&s.title, face, room);
        if lines.len() as f32 * face.height * 1.42 <= 0.94 - top {
            break;
        }
        face = Face { height: face.height * 0.9, ..face };
    }
    let print = s.palette.legible_on(ground);
    let artist = fitted(Face::new(0.05, 0.2).spaced(0.05), &s.artist, room);
    canvas.fill(&artist.set(&s.artist, (MARGIN, MARGIN)), print);
    canvas.fill(Path::new().rect((MARGIN, 0.132), (1.0 - MARGIN, 0.139)), print);
    for (row, line) in lines.iter().enumerate() {
        let colour = if row % 2 == 0 { print } else { print.mix(ground, 0.28) };
        canvas.fill(&face.set(line, (MARGIN, top + row as f32 * face.height * 1.42)), colour);
    }
}
