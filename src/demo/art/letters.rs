//! Our own capitals: letters as strokes on a grid eight units high, so that any weight and width
//! can be drawn from one alphabet. Knows the shape of words, not where they stand.

use super::path::{Cap, Path, Point};
use std::f32::consts::FRAC_PI_2;

/// How words are set. Everything but the height is in parts of the height.
#[derive(Clone, Copy)]
pub(super) struct Face {
    /// Height of a capital on the sleeve.
    pub height: f32,
    pub weight: f32,
    /// Space between letters beyond the usual.
    pub spacing: f32,
    /// 1 is as drawn, less is narrower.
    pub width: f32,
}

impl Face {
    pub fn new(height: f32, weight: f32) -> Face {
        Face { height, weight, spacing: 0.0, width: 1.0 }
    }

    pub fn spaced(self, spacing: f32) -> Face {
        Face { spacing, ..self }
    }

    pub fn wide(self, width: f32) -> Face {
        Face { width, ..self }
    }

    /// Whether every letter of the text can be drawn.
    pub fn knows(text: &str) -> bool {
        text.chars().flat_map(char::to_uppercase).all(|letter| plain(letter).is_some())
    }

    /// The width of a line of text on the sleeve.
    pub fn measure(self, text: &str) -> f32 {
        let advance: f32 = spelled(text).map(|(shape, _)| self.advance(shape)).sum();
        (advance - self.gap()).max(0.0)
    }

    /// The outline of a line of text, its first capital's upper left corner at `start`.
    pub fn set(self, text: &str, start: Point) -> Path {
        let mut path = Path::new();
        let (mut x, y) = start;
        for (shape, mark) in spelled(text) {
            self.letter(&mut path, shape, mark, (x, y));
            x += self.advance(shape);
        }
        path
    }

    fn unit(self) -> f32 {
        self.height * (1.0 - self.weight) / 8.0
    }

    fn gap(self) -> f32 {
        self.height * (0.13 + self.spacing + self.weight * 0.35)
    }

    fn advance(self, shape: &str) -> f32 {
        if shape.is_empty() {
            return self.height * (0.32 + self.spacing);
        }
        width_of(shape) * self.unit() * self.width + self.height * self.weight + self.gap()
    }

    fn letter(self, path: &mut Path, shape: &str, mark: Mark, (left, top): Point) {
        let (unit, weight) = (self.unit(), self.height * self.weight);
        let place =
            |x: f32, y: f32| (left + weight / 2.0 + x * unit * self.width, top + weight / 2.0 + y * unit);
        let thin = |points: &[Point]| points.iter().map(|&(x, y)| place(x, y)).collect::<Vec<Point>>();
        let dot = |path: &mut Path, x: f32, y: f32| {
            let (x, y) = place(x, y);
            let half = weight * 0.55;
            path.rect((x - half, y - half), (x + half, y + half));
        };
        for stroke in strokes(shape) {
            match stroke[..] {
                [(x, y)] => dot(path, x, y),
                _ => drop(path.line(&thin(&stroke), weight, Cap::Flat)),
            }
        }
        let middle = width_of(shape) / 2.0;
        match mark {
            Mark::None => {}
            Mark::Dots => [-1.3, 1.3].iter().for_each(|off| dot(path, middle + off, -1.9)),
            Mark::Line(points) => {
                let points: Vec<Point> = points.iter().map(|&(x, y)| (middle + x, y)).collect();
                path.line(&thin(&points), weight * 0.85, Cap::Flat);
            }
        }
    }
}

/// What stands over, under or through a letter: points from the letter's middle.
#[derive(Clone, Copy)]
enum Mark {
    None,
    Dots,
    Line(&'static [Point]),
}

const ACUTE: Mark = Mark::Line(&[(-0.6, -1.4), (0.9, -2.8)]);
const GRAVE: Mark = Mark::Line(&[(0.6, -1.4), (-0.9, -2.8)]);
const HAT: Mark = Mark::Line(&[(-1.4, -1.4), (0.0, -2.7), (1.4, -1.4)]);
const CARON: Mark = Mark::Line(&[(-1.4, -2.7), (0.0, -1.4), (1.4, -2.7)]);
const MACRON: Mark = Mark::Line(&[(-1.6, -2.0), (1.6, -2.0)]);
const TILDE: Mark = Mark::Line(&[(-1.8, -1.5), (-0.7, -2.3), (0.7, -1.6), (1.8, -2.4)]);
const RING: Mark =
    Mark::Line(&[(0.0, -1.3), (-0.8, -2.1), (0.0, -2.9), (0.8, -2.1), (0.0, -1.3), (-0.8, -2.1)]);
const SLASH: Mark = Mark::Line(&[(-3.2, 8.6), (3.2, -0.6)]);
const BAR: Mark = Mark::Line(&[(-4.2, 4.0), (-0.6, 4.0)]);
const HOOK: Mark = Mark::Line(&[(0.0, 8.2), (0.5, 9.4), (-0.9, 9.9)]);

/// The letter's strokes and what belongs over it; `None` where we have no such letter.
fn plain(letter: char) -> Option<(&'static str, Mark)> {
    let (base, mark) = match letter {
        'À' => ('A', GRAVE),
        'Á' => ('A', ACUTE),
        'Â' => ('A', HAT),
        'Ã' => ('A', TILDE),
        'Ä' => ('A', Mark::Dots),
        'Å' => ('A', RING),
        'Ç' => ('C', HOOK),
        'Č' => ('C', CARON),
        'È' => ('E', GRAVE),
        'É' => ('E', ACUTE),
        'Ê' => ('E', HAT),
        'Ë' => ('E', Mark::Dots),
        'Ć' => ('C', ACUTE),
        'Đ' | 'Ð' => ('D', BAR),
        'Ě' => ('E', CARON),
        'Ё' => ('E', Mark::Dots),
        'Í' => ('I', ACUTE),
        'Й' => ('И', MACRON),
        'Ł' => ('L', Mark::Line(&[(-3.2, 5.2), (0.6, 3.2)])),
        'Ń' => ('N', ACUTE),
        'Ñ' => ('N', TILDE),
        'Ó' => ('O', ACUTE),
        'Ô' => ('O', HAT),
        'Õ' => ('O', TILDE),
        'Ö' => ('O', Mark::Dots),
        'Ō' => ('O', MACRON),
        'Ø' => ('O', SLASH),
        'Ř' => ('R', CARON),
        'Ś' => ('S', ACUTE),
        'Š' => ('S', CARON),
        'Ş' => ('S', HOOK),
        'Ú' => ('U', ACUTE),
        'Ü' => ('U', Mark::Dots),
        'Ū' => ('U', MACRON),
        'Ý' => ('Y', ACUTE),
        'Ź' => ('Z', ACUTE),
        'Ž' => ('Z', CARON),
        '’' => ('\'', Mark::None),
        '–' | '—' => ('-', Mark::None),
        other => (other, Mark::None),
    };
    shape(base).or_else(|| cyrillic(base)).map(|shape| (shape, mark))
}

/// `M` moves and `L` draws to a point; `h` and `v` draw a quarter of an ellipse to it that sets
/// out level or upright; `o` is a dot. Points are two digits: across, then down from the top.
fn shape(letter: char) -> Option<&'static str> {
    Some(match letter {
        ' ' => "",
        'A' => "M08L30L68M15L55",
        'B' => "M34L04M08L00L30h52v34h56v38L08",
        'C' => "M60L40h04v48L68",
        'D' => "M08L00L20h64v28L08",
        'E' => "M40L00L08L48M04L34",
        'F' => "M40L00L08M04L34",
        'G' => "M60L40h04v48L68L64L44",
        'H' => "M00L08M50L58M04L54",
        'I' => "M00L08",
        'J' => "M40L45v28L08",
        'K' => "M00L08M50L05M23L58",
        'L' => "M00L08L48",
        'M' => "M08L00L36L60L68",
        'N' => "M08L00L58L50",
        'O' => "M30h64v38h04v30",
        'P' => "M08L00L30h52v34L04",
        'Q' => "M30h64v38h04v30M46L68",
        'R' => "M08L00L30h52v34L04M24L58",
        'S' => "M50L20h02v24L34h56v38L08",
        'T' => "M00L60M30L38",
        'U' => "M00L05v38h65L60",
        'V' => "M00L38L60",
        'W' => "M00L28L41L68L80",
        'X' => "M00L68M60L08",
        'Y' => "M00L34L60M34L38",
        'Z' => "M00L60L08L68",
        '0' => "M20h42L46v28h06L02v20",
        '1' => "M02L20L28",
        '2' => "M02v20h42L43L08L48",
        '3' => "M00L40L14L24h46v28L08",
        '4' => "M38L30L06L46",
        '5' => "M40L00L03L23h45L46v28L08",
        '6' => "M24h46v28h06v24M06L03v30",
        '7' => "M00L40L18",
        '8' => "M20h42v24h02v20M24h46v28h06v24",
        '9' => "M20h42v24h02v20M42L45v18",
        '.' => "o08",
        ',' => "M18L09",
        ':' => "o03o07",
        ';' => "o13M17L09",
        '!' => "M00L05o08",
        '?' => "M02v20h42L24L25o28",
        '\'' => "M00L02",
        '"' => "M00L02M20L22",
        '-' => "M04L34",
        '+' | '&' => "M04L44M22L26",
        '/' => "M08L40",
        '<' => "M41L04L47",
        '>' => "M01L44L07",
        '(' => "M10h03L05v18",
        ')' => "M00h13L15v08",
        _ => return None,
    })
}

fn cyrillic(letter: char) -> Option<&'static str> {
    Some(match letter {
        'А' => "M08L30L68M15L55",
        'Б' => "M40L00L08L30h56v34L04",
        'В' => "M34L04M08L00L30h52v34h56v38L08",
        'Г' => "M40L00L08",
        'Д' => "M09L08L68L69M18L30L50L58",
        'Е' => "M40L00L08L48M04L34",
        'Ж' => "M30L38M00L34L08M60L34L68",
        'З' => "M00L20h42v24h46v28L08",
        'И' => "M00L08L50L58",
        'К' => "M00L08M50L05M23L58",
        'Л' => "M08L20L50L58",
        'М' => "M08L00L36L60L68",
        'Н' => "M00L08M50L58M04L54",
        'О' => "M30h64v38h04v30",
        'П' => "M08L00L50L58",
        'Р' => "M08L00L30h52v34L04",
        'С' => "M60L30h04v38L68",
        'Т' => "M00L60M30L38",
        'У' => "M00L35M60L18",
        'Ф' => "M30L38M32h64v36h04v32",
        'Х' => "M00L68M60L08",
        'Ц' => "M00L08L68L69M50L58",
        'Ч' => "M00L02v24L54M50L58",
        'Ш' => "M00L08L68L60M30L38",
        'Щ' => "M00L08L78L79M60L68M30L38",
        'Ъ' => "M00L10L18L30h56v34L14",
        'Ы' => "M00L08L20h46v24L04M60L68",
        'Ь' => "M00L08L30h56v34L04",
        'Э' => "M00L30h64v38L08M24L64",
        'Ю' => "M00L08M04L24M50h84v58h24v50",
        'Я' => "M58L50L20h02v24L54M34L08",
        _ => return None,
    })
}

fn spelled(text: &str) -> impl Iterator<Item = (&'static str, Mark)> {
    text.chars().flat_map(char::to_uppercase).filter_map(plain)
}

fn width_of(shape: &str) -> f32 {
    let across = shape.as_bytes().chunks_exact(3).map(|step| digit(step[1]));
    across.fold(0.0, f32::max)
}

fn strokes(shape: &str) -> Vec<Vec<Point>> {
    let mut strokes: Vec<Vec<Point>> = Vec::new();
    for step in shape.as_bytes().chunks_exact(3) {
        let to = (digit(step[1]), digit(step[2]));
        match (step[0], strokes.last_mut()) {
            (b'L', Some(stroke)) => stroke.push(to),
            (b'h' | b'v', Some(stroke)) => {
                let from = stroke[stroke.len() - 1];
                stroke.extend((1..=24).map(|i| bend(step[0], from, to, i as f32 / 24.0)));
            }
            _ => strokes.push(vec![to]),
        }
    }
    strokes
}

fn bend(way: u8, from: Point, to: Point, share: f32) -> Point {
    let (sin, cos) = (share * FRAC_PI_2).sin_cos();
    let (across, down) = if way == b'h' { (sin, 1.0 - cos) } else { (1.0 - cos, sin) };
    (from.0 + (to.0 - from.0) * across, from.1 + (to.1 - from.1) * down)
}

fn digit(byte: u8) -> f32 {
    f32::from(byte - b'0')
}
