//! Original bytes in, renditions out. Owns what a picture may cost, which of them are refused, and
//! what renditions look like; knows no files, no addresses and no cache.
//!
//! `header` reads what a file claims, `budget` grants the memory for it, `decode` makes pixels, `jpeg`
//! at once fewer of them of a large JPEG, both by way of its `markers`; `resize` makes fewer of them,
//! `colour` turns them into sRGB, `encode` writes them; `placeholder` draws the record that stands in for
//! a cover.

mod budget;
mod colour;
mod decode;
mod encode;
mod header;
mod jpeg;
mod libwebp;
mod markers;
mod pixels;
mod placeholder;
mod resize;

pub use pixels::Size;

use crate::key::Variant;
use budget::Budget;
use header::{Ending, Format, Header};
use image::metadata::Orientation;
use pixels::{Layout, Pixels};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What renditions are made like; its fingerprint is part of what makes two caches the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Side of the square that a thumbnail fits into, pixels, 1 to 16383 (WebP's own limit).
    pub thumbnail_side: u32,
    /// Likewise for the large rendition.
    pub detail_side: u32,
    /// WebP quality, 1-100.
    pub quality: u8,
    /// libwebp method 0-6.
    pub effort: u8,
    /// An original with more declared pixels is refused before it is decoded. Millions.
    pub megapixels_max: u32,
}

/// Renders pictures within one shared budget of memory.
pub struct Renderer {
    recipe: Recipe,
    budget: Budget,
}

/// How long the steps of a render took, waiting for memory left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    pub decode: Duration,
    /// To fewer pixels, in sRGB, the right way up.
    pub resize: Duration,
    /// Both renditions.
    pub encode: Duration,
}

/// Why there are no renditions of an original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureError {
    /// The bytes are none of JPEG, PNG, GIF, WebP.
    NotAPicture,
    /// Declared size beyond the limit.
    TooLarge { width: u32, height: u32 },
    /// Would not fit into the memory budget at all.
    TooMuchMemory { bytes: u64 },
    /// The file ends before the picture does: worth another download.
    Truncated,
    /// Cannot be decoded, with the decoder's reason.
    Damaged(String),
    /// Cannot be encoded.
    Encode(String),
}

/// Generation of the pipeline itself: raise it when the same original and settings give other
/// pixels, so that caches made before are made anew.
const GENERATION: u32 = 3;

impl Recipe {
    pub fn side(&self, variant: Variant) -> u32 {
        match variant {
            Variant::Thumbnail => self.thumbnail_side,
            Variant::Detail => self.detail_side,
        }
    }

    /// Renditions made under another fingerprint are purged at start. Only what changes the bytes
    /// of a rendition is in it.
    ///
    /// ```
    /// use vinylvault::picture::Recipe;
    /// let recipe =
    ///     Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort: 4, megapixels_max: 40 };
    /// assert_eq!(recipe.fingerprint(), "v3-150-600-q85-m4");
    /// ```
    pub fn fingerprint(&self) -> String {
        let Recipe { thumbnail_side, detail_side, quality, effort, megapixels_max: _ } = self;
        format!("v{GENERATION}-{thumbnail_side}-{detail_side}-q{quality}-m{effort}")
    }
}

impl Renderer {
    /// `budget_bytes` bounds what all renders hold together: originals, coefficients, pixels and
    /// the encoder. 96 MB let every JPEG of 40 megapixels through, a PNG of 30, and any number of
    /// the usual 600 x 600.
    pub fn new(recipe: Recipe, budget_bytes: u64) -> Renderer {
        Renderer { recipe, budget: Budget::new(budget_bytes) }
    }

    pub fn recipe(&self) -> Recipe {
        self.recipe
    }

    /// Bytes of the budget that no render holds at this moment.
    pub fn free_bytes(&self) -> u64 {
        self.budget.free()
    }

    /// Makes both renditions of `original` and hands each to `deliver` as soon as it is encoded,
    /// the thumbnail first. Waits for memory while other renders hold it. A decoder's panic is
    /// caught here and is an error; one of `deliver` is not, and still gives the memory back.
    ///
    /// # Errors
    /// Any [`PictureError`]; after `Encode` the thumbnail may have been delivered already.
    pub fn render(
        &self,
        original: &[u8],
        deliver: &mut dyn FnMut(Variant, Vec<u8>),
    ) -> Result<(), PictureError> {
        self.render_by_steps(original, deliver).map(|_| ())
    }

    /// [`Renderer::render`] that says how long what took.
    pub fn render_by_steps(
        &self,
        original: &[u8],
        deliver: &mut dyn FnMut(Variant, Vec<u8>),
    ) -> Result<Steps, PictureError> {
        let header = Header::read(original)?;
        let Size { width, height } = header.size;
        if header.size.pixels() > u64::from(self.recipe.megapixels_max) * 1_000_000 {
            return Err(PictureError::TooLarge { width, height });
        }
        let plan = self.plan(original, &header);
        let cost = self.cost(original, &header, plan.as_ref());
        let mut permit =
            self.budget.take(cost.peak).ok_or(PictureError::TooMuchMemory { bytes: cost.peak })?;
        let (shown, mut steps) = catch_unwind(AssertUnwindSafe(|| self.shrink(original, &header, plan)))
            .unwrap_or_else(|panic| Err(PictureError::Damaged(panic_message(&*panic))))?;
        permit.keep(cost.encoding);
        for variant in Variant::ALL {
            let rendition = match variant {
                Variant::Thumbnail => &shown.thumbnail,
                Variant::Detail => &shown.detail,
            };
            let begun = Instant::now();
            let bytes = encode::webp(rendition, self.recipe.quality, self.recipe.effort)?;
            steps.encode += begun.elapsed();
            deliver(variant, bytes);
        }
        Ok(steps)
    }

    /// The same picture for a browser without WebP. Only for renditions of our own: it takes no
    /// memory from the budget, and refuses what is larger than a rendition.
    pub fn jpeg_twin(&self, webp: &[u8]) -> Result<Vec<u8>, PictureError> {
        let header = Header::read(webp)?;
        let Size { width, height } = header.size;
        if width.max(height) > self.recipe.thumbnail_side.max(self.recipe.detail_side) {
            return Err(PictureError::TooLarge { width, height });
        }
        let decoded = catch_unwind(AssertUnwindSafe(|| decode::decode(webp, &header)))
            .unwrap_or_else(|panic| Err(PictureError::Damaged(panic_message(&*panic))))?;
        encode::jpeg(&decoded.pixels.into_rgb(), self.recipe.quality)
    }

    /// A record drawn by our own code, filling the variant's square: (WebP, JPEG). The same bytes
    /// each time.
    pub fn placeholder(&self, variant: Variant) -> Result<(Vec<u8>, Vec<u8>), PictureError> {
        let drawn = placeholder::draw(self.recipe.side(variant));
        let webp = encode::webp(&drawn, self.recipe.quality, self.recipe.effort)?;
        Ok((webp, encode::jpeg(&drawn, self.recipe.quality)?))
    }

    /// The larger of the two renditions, before its orientation is applied.
    fn large(&self, stored: Size) -> Size {
        stored.fit(self.recipe.detail_side.max(self.recipe.thumbnail_side))
    }

    /// How a JPEG is read that is progressive, or so large that most of it would be thrown away.
    fn plan(&self, original: &[u8], header: &Header<'_>) -> Option<jpeg::Plan> {
        if header.format != Format::Jpeg { None } else { jpeg::plan(original, |size| self.large(size)) }
    }

    /// Decodes and shrinks; the original's pixels are gone when it returns.
    fn shrink(
        &self,
        original: &[u8],
        header: &Header<'_>,
        plan: Option<jpeg::Plan>,
    ) -> Result<(Shown, Steps), PictureError> {
        let begun = Instant::now();
        // Half a download must not become half a cover, whatever a decoder could make of it.
        if header.format == Format::Jpeg && header.ending == Ending::Missing {
            return Err(PictureError::Truncated);
        }
        let decoded = match plan {
            Some(plan) => plan.decode(original)?,
            None => decode::decode(original, header)?,
        };
        let decode = begun.elapsed();
        let stored = header.size;
        let small = resize::shrink(decoded.pixels, self.large(stored));
        // Colouring and turning the small picture costs next to nothing; the large one would cost
        // as much as decoding it.
        let mut image = colour::to_srgb(small, decoded.profile.as_deref()).into_image();
        image.apply_orientation(decoded.orientation);
        let shown = Pixels::from_image(image);
        let turned = if is_sideways(decoded.orientation) {
            Size { width: stored.height, height: stored.width }
        } else {
            stored
        };
        let thumbnail = resize::shrunk(&shown, turned.fit(self.recipe.thumbnail_side));
        let detail = resize::shrink(shown, turned.fit(self.recipe.detail_side));
        let steps = Steps { decode, resize: begun.elapsed().saturating_sub(decode), encode: Duration::ZERO };
        Ok((Shown { thumbnail, detail }, steps))
    }

    fn cost(&self, original: &[u8], header: &Header<'_>, plan: Option<&jpeg::Plan>) -> Cost {
        let [thumbnail, detail] = Variant::ALL.map(|variant| header.size.fit(self.recipe.side(variant)));
        let file = original.len() as u64;
        let resizing = resize::working_bytes(header.size, self.large(header.size), Layout::Rgb);
        let encoding = file + encode::working_bytes(detail, thumbnail);
        let decoding = file
            + match plan {
                Some(plan) => plan.bytes(),
                None => header.pixel_bytes + header.working_bytes.max(resizing),
            };
        Cost { peak: decoding.max(encoding), encoding }
    }
}

impl PictureError {
    /// Whether the same URL may give a good picture on another try (a cut-off download).
    pub fn is_transient(&self) -> bool {
        matches!(self, PictureError::Truncated)
    }

    /// For strangers: without the decoder's own words.
    pub fn public_reason(&self) -> &'static str {
        match self {
            PictureError::NotAPicture => "The address gives no JPEG, PNG, GIF or WebP picture.",
            PictureError::TooLarge { .. } => "The picture has more pixels than the limit.",
            PictureError::TooMuchMemory { .. } => "The picture needs more memory than there is for it.",
            PictureError::Truncated => "The picture was cut short.",
            PictureError::Damaged(_) => "The picture is damaged.",
            PictureError::Encode(_) => "The picture could not be made smaller.",
        }
    }
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PictureError::NotAPicture => f.write_str("read picture: it is not a JPEG, PNG, GIF or WebP"),
            PictureError::TooLarge { width, height } => {
                write!(f, "read picture: {width} x {height} pixels are more than the limit")
            }
            PictureError::TooMuchMemory { bytes } => {
                let megabytes = bytes.div_ceil(1 << 20);
                write!(f, "decode picture: it would take {megabytes} MB, more than the budget")
            }
            PictureError::Truncated => f.write_str("decode picture: it was cut short, try again"),
            PictureError::Damaged(why) => write!(f, "decode picture: it is damaged: {why}"),
            PictureError::Encode(why) => write!(f, "encode rendition: {why}"),
        }
    }
}

impl std::error::Error for PictureError {}

/// Exactly what a WebP file's first 12 bytes promise: RIFF, the length of the rest, WEBP.
///
/// ```
/// use vinylvault::picture::is_whole_webp;
/// assert!(is_whole_webp(b"RIFF\x04\0\0\0WEBP"));
/// assert!(!is_whole_webp(b"RIFF\x05\0\0\0WEBP"));
/// assert!(!is_whole_webp(b""));
/// ```
pub fn is_whole_webp(bytes: &[u8]) -> bool {
    let Some((head, body)) = bytes.split_at_checked(8) else { return false };
    let [b'R', b'I', b'F', b'F', length @ ..] = head else { return false };
    let length: Result<[u8; 4], _> = length.try_into();
    body.starts_with(b"WEBP") && length.is_ok_and(|length| u32::from_le_bytes(length) as usize == body.len())
}

/// Both renditions as pixels, RGB.
struct Shown {
    thumbnail: Pixels,
    detail: Pixels,
}

/// Bytes of memory: at the worst moment of decoding, and from then on.
struct Cost {
    peak: u64,
    encoding: u64,
}

fn is_sideways(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("its decoder panicked: {}", said.unwrap_or("without a word"))
}
