//! Sleeves drawn by our own code: the canvas, its inks, the palettes' use and the list of designs.
//! Every measure is a fraction of the sleeve's side, so that one drawing serves 300 and 3000 px.
//! Owns no albums, no files and no fonts (the letters are strokes of our own).

mod brush;
mod chance;
mod creature;
mod figure;
mod geometric;
mod landscape;
mod letters;
mod line;
mod noise;
mod palette;
mod path;
mod pattern;
mod texture;
mod typographic;

pub use palette::Palette;

use chance::Chance;
use path::Path;

/// What one sleeve looks like, apart from its size.
#[derive(Clone, Copy, Debug)]
pub struct Sleeve<'a> {
    pub design: Design,
    pub palette: &'static Palette,
    pub seed: u64,
    pub artist: &'a str,
    pub title: &'a str,
}

/// A family of drawings; the seed picks one of it.
#[derive(Clone, Copy, Debug)]
pub struct Design {
    name: &'static str,
    draw: fn(&mut Canvas, &mut Sitting),
}

/// A square picture, 8-bit sRGB, row by row.
pub struct Canvas {
    side: u32,
    pixels: Vec<u8>,
}

/// A colour in sRGB, each part 0 to 1. Mixed as it is: sleeves are print, not light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rgb(pub f32, pub f32, pub f32);

/// Draws a sleeve of `side` x `side` pixels: the same arguments always give the same pixels.
///
/// Costs 3 bytes a pixel of memory and, on a desktop core, 15 to 90 ns a pixel, by design.
pub fn draw(sleeve: &Sleeve, side: u32) -> Canvas {
    let mut canvas = Canvas::new(side);
    let mut sitting = Sitting {
        chance: Chance::new(sleeve.seed),
        palette: sleeve.palette,
        artist: sleeve.artist.to_owned(),
        title: sleeve.title.to_owned(),
    };
    (sleeve.design.draw)(&mut canvas, &mut sitting);
    noise::press(&mut canvas, sleeve.seed);
    canvas
}

impl Design {
    pub const ALL: &'static [Design] = &[
        Design { name: "circles", draw: geometric::circles },
        Design { name: "bauhaus", draw: geometric::bauhaus },
        Design { name: "sunburst", draw: geometric::sunburst },
        Design { name: "stripes", draw: geometric::stripes },
        Design { name: "destijl", draw: geometric::destijl },
        Design { name: "opart", draw: pattern::opart },
        Design { name: "weave", draw: pattern::weave },
        Design { name: "halftone", draw: pattern::halftone },
        Design { name: "mosaic", draw: pattern::mosaic },
        Design { name: "horizon", draw: landscape::horizon },
        Design { name: "ridges", draw: landscape::ridges },
        Design { name: "waves", draw: landscape::waves },
        Design { name: "planet", draw: landscape::planet },
        Design { name: "skyline", draw: landscape::skyline },
        Design { name: "contours", draw: texture::contours },
        Design { name: "clouds", draw: texture::clouds },
        Design { name: "terrazzo", draw: texture::terrazzo },
        Design { name: "marble", draw: texture::marble },
        Design { name: "harmonograph", draw: line::harmonograph },
        Design { name: "pulses", draw: line::pulses },
        Design { name: "strings", draw: line::strings },
        Design { name: "enso", draw: brush::enso },
        Design { name: "strokes", draw: brush::strokes },
        Design { name: "swiss", draw: typographic::swiss },
        Design { name: "refrain", draw: typographic::refrain },
        Design { name: "broadside", draw: typographic::broadside },
        Design { name: "company", draw: typographic::company },
        Design { name: "leaves", draw: figure::leaves },
        Design { name: "keys", draw: figure::keys },
        Design { name: "vessels", draw: figure::vessels },
        Design { name: "birds", draw: creature::birds },
        Design { name: "faces", draw: creature::faces },
        Design { name: "speakers", draw: figure::speakers },
    ];

    pub fn named(name: &str) -> Option<Design> {
        Design::ALL.iter().copied().find(|design| design.name == name)
    }

    pub fn name(self) -> &'static str {
        self.name
    }
}

/// What a design has before it: its dice, its colours and the words for the front.
struct Sitting {
    chance: Chance,
    palette: &'static Palette,
    artist: String,
    title: String,
}

/// A colour and how it goes onto what is there.
#[derive(Clone, Copy)]
struct Ink {
    colour: Rgb,
    alpha: f32,
    blend: Blend,
}

#[derive(Clone, Copy)]
enum Blend {
    Cover,
    /// As a second printing plate does: overlaps grow darker.
    Multiply,
    /// As light does: overlaps grow lighter.
    Screen,
}

impl Canvas {
    fn new(side: u32) -> Canvas {
        let pixels = u64::from(side) * u64::from(side) * 3;
        let pixels = usize::try_from(pixels).expect("a sleeve of at most 3000 px has 27 MB");
        Canvas { side, pixels: vec![0; pixels] }
    }

    pub fn side(&self) -> u32 {
        self.side
    }

    /// Red, green, blue; row by row from the top left.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The width of a pixel: what an edge is softened over.
    fn pixel(&self) -> f32 {
        1.0 / self.side as f32
    }

    fn flood(&mut self, colour: Rgb) {
        let bytes = colour.bytes();
        self.pixels.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&bytes));
    }

    /// Sets every pixel from the position of its centre.
    fn shade(&mut self, colour: impl Fn(f32, f32) -> Rgb) {
        let step = self.pixel();
        let row_bytes = self.side as usize * 3;
        for (row, line) in self.pixels.chunks_exact_mut(row_bytes).enumerate() {
            let y = (row as f32 + 0.5) * step;
            for (column, pixel) in line.chunks_exact_mut(3).enumerate() {
                pixel.copy_from_slice(&colour((column as f32 + 0.5) * step, y).bytes());
            }
        }
    }

    /// Fills a path in one ink, edges softened by the exact area covered.
    fn fill(&mut self, path: &Path, ink: impl Into<Ink>) {
        let ink = ink.into();
        self.fill_with(path, |_, _| ink);
    }

    /// Fills a path with an ink that depends on the position.
    fn fill_with(&mut self, path: &Path, ink: impl Fn(f32, f32) -> Ink) {
        let step = self.pixel();
        let side = self.side as usize;
        let pixels = &mut self.pixels;
        path.cover(self.side, |row, first, coverage| {
            let y = (row as f32 + 0.5) * step;
            let start = (row as usize * side + first) * 3;
            let line = &mut pixels[start..start + coverage.len() * 3];
            for (column, (pixel, &covered)) in line.chunks_exact_mut(3).zip(coverage).enumerate() {
                if covered > 0.002 {
                    let ink = ink(((first + column) as f32 + 0.5) * step, y);
                    let under = Rgb::from_bytes(pixel[0], pixel[1], pixel[2]);
                    pixel.copy_from_slice(&ink.over(under, covered).bytes());
                }
            }
        });
    }
}

impl Rgb {
    const WHITE: Rgb = Rgb(1.0, 1.0, 1.0);
    const BLACK: Rgb = Rgb(0.0, 0.0, 0.0);

    /// From `0xRRGGBB`.
    const fn hex(value: u32) -> Rgb {
        let [_, red, green, blue] = value.to_be_bytes();
        Rgb::from_bytes(red, green, blue)
    }

    const fn from_bytes(red: u8, green: u8, blue: u8) -> Rgb {
        const STEP: f32 = 1.0 / 255.0;
        Rgb(red as f32 * STEP, green as f32 * STEP, blue as f32 * STEP)
    }

    fn bytes(self) -> [u8; 3] {
        // `as` saturates: what is under 0 or over 255 stays at the end.
        [self.0, self.1, self.2].map(|part| (part * 255.0 + 0.5) as u8)
    }

    /// `share` 0 is all `self`, 1 all `other`.
    fn mix(self, other: Rgb, share: f32) -> Rgb {
        let part = |a: f32, b: f32| a + (b - a) * share;
        Rgb(part(self.0, other.0), part(self.1, other.1), part(self.2, other.2))
    }

    fn times(self, other: Rgb) -> Rgb {
        Rgb(self.0 * other.0, self.1 * other.1, self.2 * other.2)
    }

    fn lighter(self, share: f32) -> Rgb {
        self.mix(Rgb::WHITE, share)
    }

    fn darker(self, share: f32) -> Rgb {
        self.mix(Rgb::BLACK, share)
    }

    /// 0 for black to 1 for white, as the eye weighs the parts.
    fn luma(self) -> f32 {
        0.299 * self.0 + 0.587 * self.1 + 0.114 * self.2
    }

    /// How far apart two colours are, 0 to 3.
    fn contrast(self, other: Rgb) -> f32 {
        (self.0 - other.0).abs() + (self.1 - other.1).abs() + (self.2 - other.2).abs()
    }

    fn ink(self, alpha: f32) -> Ink {
        Ink { colour: self, alpha, blend: Blend::Cover }
    }

    fn multiply(self, alpha: f32) -> Ink {
        Ink { colour: self, alpha, blend: Blend::Multiply }
    }

    fn screen(self, alpha: f32) -> Ink {
        Ink { colour: self, alpha, blend: Blend::Screen }
    }
}

impl From<Rgb> for Ink {
    fn from(colour: Rgb) -> Ink {
        colour.ink(1.0)
    }
}

impl Ink {
    fn over(self, under: Rgb, covered: f32) -> Rgb {
        let printed = match self.blend {
            Blend::Cover => self.colour,
            Blend::Multiply => under.times(self.colour),
            Blend::Screen => Rgb(
                1.0 - (1.0 - under.0) * (1.0 - self.colour.0),
                1.0 - (1.0 - under.1) * (1.0 - self.colour.1),
                1.0 - (1.0 - under.2) * (1.0 - self.colour.2),
            ),
        };
        under.mix(printed, self.alpha * covered)
    }
}

/// 0 below `from`, 1 above `to`, an even slope between.
fn ramp(from: f32, to: f32, value: f32) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

/// As [`ramp`], with soft ends.
fn smooth(from: f32, to: f32, value: f32) -> f32 {
    let t = ramp(from, to, value);
    t * t * (3.0 - 2.0 * t)
}

/// A colour on the way through several, `at` 0 to 1.
fn gradient(stops: &[Rgb], at: f32) -> Rgb {
    let place = at.clamp(0.0, 1.0) * (stops.len() - 1) as f32;
    let first = (place as usize).min(stops.len() - 2);
    stops[first].mix(stops[first + 1], place - first as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeve(design: Design, seed: u64) -> Sleeve<'static> {
        Sleeve { design, palette: &Palette::ALL[0], seed, artist: "Aunt Velocity", title: "Motor Sonata" }
    }

    #[test]
    fn a_sleeve_is_the_same_each_time_and_another_seed_gives_another() {
        for &design in Design::ALL {
            let drawn = draw(&sleeve(design, 7), 96);
            assert_eq!(drawn.pixels(), draw(&sleeve(design, 7), 96).pixels(), "{}", design.name());
            assert_ne!(drawn.pixels(), draw(&sleeve(design, 8), 96).pixels(), "{}", design.name());
        }
    }

    #[test]
    fn no_sleeve_is_empty_and_no_two_designs_are_alike() {
        let mut seen = std::collections::BTreeSet::new();
        for &design in Design::ALL {
            let drawn = draw(&sleeve(design, 7), 96);
            assert_eq!(drawn.pixels().len(), 96 * 96 * 3);
            let (low, high) = (drawn.pixels().iter().min().unwrap(), drawn.pixels().iter().max().unwrap());
            assert!(high - low > 60, "{} is nearly plain", design.name());
            assert!(seen.insert(drawn.pixels().to_vec()));
        }
    }

    #[test]
    fn a_large_sleeve_shows_what_the_small_one_shows() {
        for &design in Design::ALL {
            let (small, large) = (draw(&sleeve(design, 7), 60), draw(&sleeve(design, 7), 240));
            let mut apart = 0.0;
            for (i, pixel) in small.pixels().chunks_exact(3).enumerate() {
                let (left, top) = (i % 60 * 4, i / 60 * 4);
                for (part, &value) in pixel.iter().enumerate() {
                    let places = (0..16).map(|j| ((top + j / 4) * 240 + left + j % 4) * 3 + part);
                    let mean = places.map(|place| f64::from(large.pixels()[place])).sum::<f64>() / 16.0;
                    apart += (mean - f64::from(value)).abs();
                }
            }
            let mean = apart / small.pixels().len() as f64;
            assert!(mean < 6.0, "{} differs by {mean} a byte", design.name());
        }
    }

    #[test]
    fn words_that_cannot_be_spelled_leave_the_sleeve_without_words() {
        for &design in Design::ALL {
            let unspelled = Sleeve { artist: "雨", title: "路地 ☂", ..sleeve(design, 7) };
            let wordless = Sleeve { artist: "", title: "", ..sleeve(design, 7) };
            assert_eq!(draw(&unspelled, 48).side(), 48);
            assert_eq!(draw(&wordless, 48).side(), 48);
        }
    }
}
