//! A terminal's screen as a picture for the README: an SVG of a dark window, whatever fonts and themes
//! the reader has. Owns looks only; what stands on the screen is the terminal's.
//!
//! Letters are text, each run stretched over its columns, so that they stand in line in any monospaced
//! font. Blocks and shades are drawn, so that bars are whole where a font leaves gaps.

use std::fmt::Write;
use vt100::{Cell, Color, Screen};

/// A cell, pixels; close to the shape of the fonts named below at their size.
const COLUMN: u32 = 9;
const ROW: u32 = 20;
const FONT_SIZE: u32 = 15;
/// From a row's top to the line its letters stand on.
const BASELINE: u32 = 15;
/// Around the cells, and the bar above them that a window has.
const MARGIN: u32 = 18;
const TITLE: u32 = 36;
const FONTS: &str =
    "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace";
const PAPER: &str = "#171a21";
const INK: &str = "#d7dce5";
const FRAME: &str = "#3a404d";
/// The sixteen colours that a terminal chooses itself.
const OWN: [&str; 16] = [
    "#3b4252", "#ff6b6b", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf", "#5c6370",
    "#ff8787", "#b5e890", "#ffd68a", "#8cc8ff", "#e0a0f0", "#7fd6e0", "#ffffff",
];
/// Of the six steps of red, green and blue in the 256 colours.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The screen down to its last row that has something on it; `title` stands in the window's bar.
pub fn svg(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let used = |row: &u16| (0..columns.get()).any(|column| is_inked(screen, *row, column));
    let rows = (0..rows.get()).rev().find(used).map_or(1, |last| last + 1);
    let (width, height) =
        (u32::from(columns.get()) * COLUMN + 2 * MARGIN, u32::from(rows) * ROW + TITLE + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"{title}\">\n\
         <rect x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"9\" fill=\"{PAPER}\" stroke=\"{FRAME}\"/>\n",
        width - 1,
        height - 1,
        title = escaped(title),
    );
    for (index, colour) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        let _ = writeln!(svg, "<circle cx=\"{}\" cy=\"18\" r=\"6\" fill=\"{colour}\"/>", 20 + 20 * index);
    }
    let _ = writeln!(
        svg,
        "<g font-family=\"{FONTS}\" font-size=\"{FONT_SIZE}\" fill=\"{INK}\" style=\"white-space:pre\">\n\
         <text x=\"{}\" y=\"23\" text-anchor=\"middle\" font-size=\"13\" opacity=\".6\">{}</text>",
        width / 2,
        escaped(title)
    );
    for row in 0..rows {
        draw_row(screen, row, columns.get(), &mut svg);
    }
    svg + "</g>\n</svg>\n"
}

fn is_inked(screen: &Screen, row: u16, column: u16) -> bool {
    screen.cell(row, column).is_some_and(|cell| !cell.contents().trim().is_empty() || back(cell).is_some())
}

/// Runs of cells that look alike: first what is behind them, then what is on them.
fn draw_row(screen: &Screen, row: u16, columns: u16, svg: &mut String) {
    let cells: Vec<&Cell> = (0..columns).filter_map(|column| screen.cell(row, column)).collect();
    let top = TITLE + u32::from(row) * ROW;
    let mut column = 0;
    while column < cells.len() {
        let cell = cells[column];
        let alike = |other: &&&Cell| style(other) == style(cell) && kind(other) == kind(cell);
        let mut length = cells[column..].iter().take_while(alike).count();
        let x = MARGIN + column as u32 * COLUMN;
        if let Some(colour) = back(cell) {
            let width = length as u32 * COLUMN;
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{ROW}\" fill=\"{colour}\"/>"
            );
        }
        match kind(cell) {
            Kind::Gap => {}
            Kind::Block(block) => draw_block(block, x, top, length as u32, cell, svg),
            Kind::Text => length = draw_text(&cells[column..column + length], x, top, svg),
        }
        column += length;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gap,
    Block(char),
    Text,
}

fn kind(cell: &Cell) -> Kind {
    match cell.contents().chars().next() {
        None => Kind::Gap,
        Some(block @ ('\u{2581}'..='\u{258f}' | '\u{2591}'..='\u{2593}')) => Kind::Block(block),
        Some(_) => Kind::Text,
    }
}

/// One run of text up to the first gap of two spaces; says how many cells it took.
fn draw_text(cells: &[&Cell], x: u32, top: u32, svg: &mut String) -> usize {
    let is_space = |cell: &&&Cell| cell.contents() == " ";
    let lead = cells.iter().take_while(is_space).count();
    if lead > 0 {
        return lead;
    }
    let gap = cells.windows(2).position(|pair| pair.iter().all(|cell| cell.contents() == " "));
    let mut length = gap.unwrap_or(cells.len());
    length -= cells[..length].iter().rev().take_while(is_space).count();
    let text: String = cells[..length].iter().map(|cell| cell.contents()).collect();
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{}\"{}>{}</text>",
        top + BASELINE,
        length as u32 * COLUMN,
        style(cells[0]),
        escaped(&text)
    );
    length
}

/// Unicode's block elements as far as bars and curves go: eighths from below, eighths from the left, shades.
fn draw_block(block: char, x: u32, top: u32, count: u32, cell: &Cell, svg: &mut String) {
    // Air between two bars, one above the other.
    let full = f64::from(ROW) - 6.0;
    let (mut width, mut height, mut opacity) = (f64::from(COLUMN), full, 1.0);
    match block {
        '\u{2581}'..='\u{2588}' => height *= f64::from(block as u32 - 0x2580) / 8.0,
        '\u{2589}'..='\u{258f}' => width *= f64::from(0x2590 - block as u32) / 8.0,
        _ => opacity = f64::from(block as u32 - 0x2590) / 6.0,
    }
    let y = f64::from(top) + 3.0 + full - height;
    // Whole and shaded cells in one piece; parts of a cell are one each.
    let pieces = if width < f64::from(COLUMN) { count } else { 1 };
    let step = if pieces == 1 { width * f64::from(count) } else { width };
    for piece in 0..pieces {
        let x = x + piece * COLUMN;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{step}\" height=\"{height}\" opacity=\"{opacity:.2}\"{}/>",
            style(cell)
        );
    }
}

/// What a cell's letters look like, as attributes; nothing where they look as usual.
fn style(cell: &Cell) -> String {
    let mut style = String::new();
    let ink = if cell.inverse() { cell.bgcolor() } else { cell.fgcolor() };
    let usual = if cell.inverse() { Some(PAPER.to_owned()) } else { None };
    if let Some(colour) = colour(ink).or(usual) {
        let _ = write!(style, " fill=\"{colour}\"");
    }
    if cell.bold() {
        style += " font-weight=\"bold\"";
    }
    if cell.dim() {
        style += " fill-opacity=\".62\"";
    }
    if cell.italic() {
        style += " font-style=\"italic\"";
    }
    if cell.underline() {
        style += " text-decoration=\"underline\"";
    }
    style
}

fn back(cell: &Cell) -> Option<String> {
    match cell.inverse() {
        true => Some(colour(cell.fgcolor()).unwrap_or(INK.to_owned())),
        false => colour(cell.bgcolor()),
    }
}

/// `None`: what the terminal uses when nobody says.
fn colour(colour: Color) -> Option<String> {
    let [red, green, blue] = match colour {
        Color::Default => return None,
        Color::Idx(own @ 0..16) => return Some(OWN[usize::from(own)].to_owned()),
        Color::Idx(cube @ 16..232) => [36, 6, 1].map(|step| STEPS[usize::from((cube - 16) / step % 6)]),
        Color::Idx(grey) => [8 + 10 * (grey - 232); 3],
        Color::Rgb(red, green, blue) => [red, green, blue],
    };
    Some(format!("#{red:02x}{green:02x}{blue:02x}"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
