//! Outlines and the exact share of each pixel that they cover. Knows no colours.
//!
//! Contours of one path must run the same way where they overlap (every method here runs
//! clockwise on the screen, holes the other way); shared area counts once.

use std::f32::consts::{FRAC_PI_2, TAU};
use std::ops::Range;

/// A position: x to the right, y down, both 0 to 1 on the sleeve.
pub(super) type Point = (f32, f32);

/// Closed contours: the points of all, one contour after the other, and where each ends.
#[derive(Clone, Default)]
pub(super) struct Path {
    points: Vec<Point>,
    ends: Vec<usize>,
}

/// How a line ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Cap {
    Flat,
    Round,
}

/// Pixels drawn at once: the band's 128 KiB stay in a core's second cache.
const BAND_PIXELS: usize = 32 * 1024;

/// A stretch that grows from any column.
const UNTOUCHED: Range<usize> = Range { start: usize::MAX, end: 0 };

/// Half an outer corner this small (a tenth of a pixel of 3000) is not drawn.
const CORNER_MIN: f32 = 0.000_03;

/// A sharper corner than this (in multiples of the half width) is cut off.
const MITER_MAX: f32 = 2.6;

impl Path {
    pub fn new() -> Path {
        Path::default()
    }

    /// Any closed contour, turned clockwise if it is not.
    pub fn polygon(&mut self, points: &[Point]) -> &mut Path {
        if doubled_area(points) < 0.0 {
            self.contour(points.iter().rev().copied())
        } else {
            self.contour(points.iter().copied())
        }
    }

    pub fn rect(&mut self, (left, top): Point, (right, bottom): Point) -> &mut Path {
        self.polygon(&[(left, top), (right, top), (right, bottom), (left, bottom)])
    }

    pub fn disc(&mut self, centre: Point, radius: f32) -> &mut Path {
        self.contour(arc(centre, radius, 0.0, TAU).into_iter())
    }

    pub fn ellipse(&mut self, (x, y): Point, (rx, ry): Point, tilt: f32) -> &mut Path {
        let (sin, cos) = tilt.sin_cos();
        let contour = arc((0.0, 0.0), 1.0, 0.0, TAU);
        self.contour(contour.iter().map(|&(a, b)| {
            let (a, b) = (a * rx, b * ry);
            (x + a * cos - b * sin, y + a * sin + b * cos)
        }))
    }

    pub fn hole(&mut self, centre: Point, radius: f32) -> &mut Path {
        self.contour(arc(centre, radius, 0.0, TAU).into_iter().rev())
    }

    pub fn ring(&mut self, centre: Point, outer: f32, inner: f32) -> &mut Path {
        self.disc(centre, outer);
        if inner > 0.0 {
            self.hole(centre, inner);
        }
        self
    }

    /// A part of a ring from one angle to a greater one (0 to the right, a quarter turn is down).
    pub fn sector(&mut self, centre: Point, (outer, inner): Point, from: f32, to: f32) -> &mut Path {
        let mut contour = arc(centre, outer, from, to);
        contour.extend(arc(centre, inner.max(0.0), from, to).iter().rev());
        self.polygon(&contour)
    }

    /// A quarter of a disc with its corner at `corner`; `quarter` 0 lies right below it, and on
    /// clockwise.
    pub fn quarter(&mut self, corner: Point, radius: f32, quarter: usize) -> &mut Path {
        let from = quarter as f32 * FRAC_PI_2;
        self.sector(corner, (radius, 0.0), from, from + FRAC_PI_2)
    }

    /// A smooth closed curve through the points.
    pub fn blob(&mut self, points: &[Point]) -> &mut Path {
        let count = points.len();
        let mut contour = Vec::with_capacity(count * 12);
        for i in 0..count {
            let at = |offset: usize| points[(i + offset) % count];
            (0..12).for_each(|step| contour.push(between(at(0), at(1), at(2), at(3), step as f32 / 12.0)));
        }
        self.polygon(&contour)
    }

    /// A line through the points, corners sharp.
    pub fn line(&mut self, points: &[Point], width: f32, cap: Cap) -> &mut Path {
        let half = width / 2.0;
        for pair in points.windows(2) {
            let (nx, ny) = normal(pair[0], pair[1], half);
            let [(ax, ay), (bx, by)] = [pair[0], pair[1]];
            self.polygon(&[(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)]);
        }
        for corner in points.windows(3) {
            self.corner(corner, half);
        }
        if let [first, second, .., before, last] = points
            && first == last
        {
            self.corner(&[*before, *first, *second], half);
        }
        if let (Cap::Round, Some(&first), Some(&last)) = (cap, points.first(), points.last()) {
            self.disc(first, half).disc(last, half);
        }
        self
    }

    /// Hands out each row's covered stretch: row, first column, share of each pixel (0 to 1).
    pub fn cover(&self, side: u32, mut row_done: impl FnMut(u32, usize, &[f32])) {
        let scale = side as f32;
        let Some(bounds) = self.bounds(scale) else { return };
        let left = bounds.0.clamp(0.0, scale) as usize;
        let right = (bounds.1.clamp(0.0, scale).ceil() as usize).min(side as usize);
        let top = bounds.2.clamp(0.0, scale) as u32;
        let bottom = (bounds.3.clamp(0.0, scale).ceil() as u32).min(side);
        if left >= right {
            return;
        }
        let width = right - left;
        let stride = width + 2;
        let mut area = Band::new(stride, left as f32);
        let mut first = top;
        while first < bottom {
            (area.top, area.rows) = (first as f32, area.rows_max().min(bottom - first));
            self.edges().for_each(|(from, to)| area.edge(scaled(from, scale), scaled(to, scale)));
            for (row, (sums, touched)) in (first..).zip(area.finished()) {
                // Left of the first edge and right of the last one nothing is covered.
                let (from, to) = (touched.start.min(width), touched.end.min(width));
                let mut sum = 0.0;
                for share in &mut sums[from..to] {
                    sum += *share;
                    *share = sum.abs().min(1.0);
                }
                row_done(row, left + from, &sums[from..to]);
                sums[touched].fill(0.0);
            }
            first += area.rows;
        }
    }

    fn contour(&mut self, points: impl Iterator<Item = Point>) -> &mut Path {
        self.points.extend(points);
        self.ends.push(self.points.len());
        self
    }

    fn edges(&self) -> impl Iterator<Item = (Point, Point)> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).flat_map(|(&start, &end)| {
            let points = &self.points[start..end];
            let next = points[1..].iter().chain(&points[..1]);
            points.iter().copied().zip(next.copied())
        })
    }

    /// Left, right, top, bottom in pixels.
    fn bounds(&self, scale: f32) -> Option<(f32, f32, f32, f32)> {
        let &(x, y) = self.points.first()?;
        let (left, right, top, bottom) = self
            .points
            .iter()
            .fold((x, x, y, y), |(l, r, t, b), &(x, y)| (l.min(x), r.max(x), t.min(y), b.max(y)));
        Some((left * scale, right * scale, top * scale, bottom * scale))
    }

    fn corner(&mut self, points: &[Point], half: f32) {
        let (n0, n1) = (normal(points[0], points[1], half), normal(points[1], points[2], half));
        let turn = n0.0 * n1.1 - n0.1 * n1.0;
        if turn.abs() < CORNER_MIN * half {
            return;
        }
        // The outer side of the turn is the one away from where the line bends to.
        let outside = if turn > 0.0 { -1.0 } else { 1.0 };
        let (x, y) = points[1];
        let a = (x + outside * n0.0, y + outside * n0.1);
        let b = (x + outside * n1.0, y + outside * n1.1);
        let (mx, my) = (n0.0 + n1.0, n0.1 + n1.1);
        let stretch = 2.0 * half * half / (mx * mx + my * my).max(1e-12);
        let tip = (x + outside * mx * stretch, y + outside * my * stretch);
        if (tip.0 - x).hypot(tip.1 - y) <= MITER_MAX * half {
            self.polygon(&[(x, y), a, tip, b]);
        } else {
            self.polygon(&[(x, y), a, b]);
        }
    }
}

/// Points along a circle from one angle to the other, close enough for 3000 px.
pub(super) fn arc((x, y): Point, radius: f32, from: f32, to: f32) -> Vec<Point> {
    let pieces =
        ((8.0 + 200.0 * radius.abs().sqrt().min(2.0)) * (to - from).abs() / TAU).ceil().max(2.0) as usize;
    let closed = (to - from - TAU).abs() < 1e-4;
    let points = if closed { pieces } else { pieces + 1 };
    let angle = |i: usize| from + (to - from) * i as f32 / pieces as f32;
    (0..points).map(|i| (x + radius * angle(i).cos(), y + radius * angle(i).sin())).collect()
}

/// A smooth open curve through the points, as a line of short pieces.
pub(super) fn curve(points: &[Point], pieces: usize) -> Vec<Point> {
    let at = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let mut line = Vec::with_capacity(points.len() * pieces);
    for i in 0..points.len() as isize - 1 {
        let step = |step| between(at(i - 1), at(i), at(i + 1), at(i + 2), step as f32 / pieces as f32);
        line.extend((0..pieces).map(step));
    }
    line.extend(points.last());
    line
}

/// The rows being summed: `sums` holds, per pixel, how much the coverage changes there, and
/// `touched` which stretch of each row has been written to.
struct Band {
    sums: Vec<f32>,
    touched: Vec<Range<usize>>,
    stride: usize,
    left: f32,
    top: f32,
    rows: u32,
}

impl Band {
    fn new(stride: usize, left: f32) -> Band {
        let rows = (BAND_PIXELS / stride).max(1);
        Band {
            sums: vec![0.0; stride * rows],
            touched: vec![UNTOUCHED; rows],
            stride,
            left,
            top: 0.0,
            rows: 0,
        }
    }

    fn rows_max(&self) -> u32 {
        self.touched.len() as u32
    }

    /// The rows of this band and where they were written to; forgets the latter.
    fn finished(&mut self) -> impl Iterator<Item = (&mut [f32], Range<usize>)> {
        let touched = self.touched.iter_mut().map(|range| {
            let Range { start, end } = std::mem::replace(range, UNTOUCHED);
            start.min(end)..end
        });
        self.sums.chunks_exact_mut(self.stride).zip(touched).take(self.rows as usize)
    }

    fn edge(&mut self, from: Point, to: Point) {
        if from.1 == to.1 {
            return;
        }
        let (sign, upper, lower) = if from.1 < to.1 { (1.0, from, to) } else { (-1.0, to, from) };
        let (top, bottom) = (upper.1 - self.top, lower.1 - self.top);
        if bottom <= 0.0 || top >= self.rows as f32 {
            return;
        }
        let slope = (lower.0 - upper.0) / (lower.1 - upper.1);
        let x_at = |y: f32| upper.0 - self.left + (y - top) * slope;
        let last = (self.stride - 2) as f32;
        let (start, end) = (top.max(0.0), bottom.min(self.rows as f32));
        let mut y = start;
        while y < end {
            let row = y as usize;
            let next = (row as f32 + 1.0).min(end);
            let (a, b) = (x_at(y).clamp(0.0, last), x_at(next).clamp(0.0, last));
            let line = &mut self.sums[row * self.stride..(row + 1) * self.stride];
            let (a, b) = (a.min(b), a.max(b));
            span(line, a, b, sign * (next - y));
            let touched = &mut self.touched[row];
            *touched = touched.start.min(a as usize)..touched.end.max(b as usize + 2);
            y = next;
        }
    }
}

/// Adds an edge that crosses one row from `left` to `right` and falls by `height` in it.
fn span(line: &mut [f32], left: f32, right: f32, height: f32) {
    let first = left as usize;
    if right <= first as f32 + 1.0 {
        let beyond = height * ((left + right) / 2.0 - first as f32);
        line[first] += height - beyond;
        line[first + 1] += beyond;
        return;
    }
    let per_column = height / (right - left);
    let mut x = left;
    while x < right {
        let column = x as usize;
        let next = (column as f32 + 1.0).min(right);
        let share = per_column * (next - x);
        let beyond = share * ((x + next) / 2.0 - column as f32);
        line[column] += share - beyond;
        line[column + 1] += beyond;
        x = next;
    }
}

fn scaled((x, y): Point, scale: f32) -> Point {
    (x * scale, y * scale)
}

fn normal((ax, ay): Point, (bx, by): Point, length: f32) -> Point {
    let (dx, dy) = (bx - ax, by - ay);
    let size = dx.hypot(dy).max(1e-9);
    (-dy / size * length, dx / size * length)
}

fn doubled_area(points: &[Point]) -> f32 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
}

/// Catmull and Rom's curve from `b` to `c`.
fn between(a: Point, b: Point, c: Point, d: Point, t: f32) -> Point {
    let part = |a: f32, b: f32, c: f32, d: f32| {
        b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
    };
    (part(a.0, b.0, c.0, d.0), part(a.1, b.1, c.1, d.1))
}
