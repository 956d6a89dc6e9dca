//! The colours of the sleeves, chosen by eye: paper, ink and four tones each.

use super::Rgb;

/// Colours that look well together. The paper is light, the ink dark; the tones lie between,
/// the first two the strongest.
#[derive(Debug)]
pub struct Palette {
    pub name: &'static str,
    pub paper: Rgb,
    pub ink: Rgb,
    pub tones: [Rgb; 4],
}

impl Palette {
    pub const ALL: &'static [Palette] = &[
        Palette::of("ember", 0xf4ead5, 0x221d1a, [0xd9482b, 0xf0922f, 0xf3c14b, 0x3f7d7a]),
        Palette::of("midnight", 0xece6d8, 0x0f1a2e, [0x1f4e8c, 0xe8a33d, 0x3b8ac4, 0xb8352c]),
        Palette::of("olive", 0xefe8d0, 0x2a2a1c, [0x7a8450, 0xc96f3b, 0xc9b458, 0x4e5b31]),
        Palette::of("rose", 0xfbeee6, 0x3a1f2b, [0xe56b6f, 0x6d597a, 0xeaac8b, 0xb56576]),
        Palette::of("lagoon", 0xeef4ed, 0x0b2545, [0x1b6ca8, 0xf2735c, 0x8fc1d4, 0x17907f]),
        Palette::of("noir", 0xe9e6df, 0x141414, [0xd0312d, 0x3a3a3a, 0xb9b3a6, 0x77736b]),
        Palette::of("mustard", 0xf6efd9, 0x2d2a26, [0xe0a526, 0x2f4858, 0xb5561d, 0x7b8a6b]),
        Palette::of("mint", 0xf2f7f0, 0x17332f, [0x2a9d8f, 0xe76f51, 0xe9c46a, 0x8ac6a7]),
        Palette::of("plum", 0xf3e8ee, 0x231123, [0x82204a, 0xe0a458, 0x558c8c, 0xc76b98]),
        Palette::of("neon", 0xfdf1fb, 0x12082b, [0xff2e88, 0x14c8c8, 0xf9dc5c, 0x6a2bd6]),
        Palette::of("forest", 0xeae7d6, 0x14231c, [0x2f5d50, 0xbc4749, 0xa7c957, 0x6a994e]),
        Palette::of("clay", 0xf0e3d6, 0x2c1b18, [0xa44a3f, 0xd4a373, 0x5d6f5a, 0xdb7c56]),
        Palette::of("arctic", 0xf4f7f8, 0x14213d, [0x4a6fa5, 0xf0a030, 0x9cb4cc, 0xcfdde6]),
        Palette::of("acid", 0xf4f1de, 0x1b1b1e, [0xc6d831, 0xff6b35, 0x1b998b, 0x3d405b]),
        Palette::of("violet", 0xf0ebf8, 0x1d1135, [0x6a2fb5, 0xf58fb8, 0xffc857, 0x9a6bd6]),
        Palette::of("sand", 0xf3ead9, 0x3b342c, [0xd98f5c, 0x4a4e69, 0xc9ada7, 0x9a8c78]),
        Palette::of("cobalt", 0xf5efe2, 0x101c3f, [0x1f3fbf, 0xef4b3a, 0xf5b82e, 0x8fb4e8]),
        Palette::of("peach", 0xfff1e0, 0x4a2035, [0xf9845b, 0xf7b267, 0x9b3f5e, 0x4f9d96]),
        Palette::of("slate", 0xe8eaed, 0x1d252c, [0x4d6a7a, 0xd9b26f, 0x8fa3ad, 0xb5533c]),
        Palette::of("cherry", 0xf8ece4, 0x29060d, [0xc1121f, 0xf2a9a0, 0x780016, 0xe8c07d]),
    ];

    pub fn named(name: &str) -> Option<&'static Palette> {
        Palette::ALL.iter().find(|palette| palette.name == name)
    }

    const fn of(name: &'static str, paper: u32, ink: u32, tones: [u32; 4]) -> Palette {
        let [a, b, c, d] = tones;
        let tones = [Rgb::hex(a), Rgb::hex(b), Rgb::hex(c), Rgb::hex(d)];
        Palette { name, paper: Rgb::hex(paper), ink: Rgb::hex(ink), tones }
    }

    /// Paper or ink, whichever can be read on this ground.
    pub(super) fn legible_on(&self, ground: Rgb) -> Rgb {
        if ground.luma() > 0.52 { self.ink } else { self.paper }
    }

    /// The tones from dark to light.
    pub(super) fn by_light(&self) -> [Rgb; 4] {
        let mut tones = self.tones;
        tones.sort_by(|a, b| a.luma().total_cmp(&b.luma()));
        tones
    }

    /// From the ink through the tones to the paper: a ramp of light.
    pub(super) fn ramp(&self) -> [Rgb; 6] {
        let [a, b, c, d] = self.by_light();
        [self.ink, a, b, c, d, self.paper]
    }
}
