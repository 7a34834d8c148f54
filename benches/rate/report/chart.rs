//! The report as a chart: bars with the range of the rounds, one group for each job.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Row;
use crate::machine::Machine;
use crate::peers::Kind;

const WIDTH: i32 = 900;
const ROW_HEIGHT: i32 = 18;
const HEAD: i32 = 56;
const LABELS: i32 = 290;
const RIGHT: i32 = 70;

const TRUNKPATH: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const OTHERS: RGBColor = RGBColor(0xb0, 0xb8, 0xc0);
const RANGE: RGBColor = RGBColor(0x33, 0x33, 0x33);

/// Draws the rows into an SVG file.
pub fn draw(path: &Path, machine: &Machine, rows: &[Row]) -> Result<()> {
    let size =
        (WIDTH.unsigned_abs(), HEAD.unsigned_abs() + ROW_HEIGHT.unsigned_abs() * (rows.len() as u32 + 1));
    let canvas = SVGBackend::new(path, size).into_drawing_area();
    paint(&canvas, machine, rows).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn paint<B: DrawingBackend>(
    canvas: &DrawingArea<B, plotters::coord::Shift>,
    machine: &Machine,
    rows: &[Row],
) -> std::result::Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    canvas.fill(&WHITE)?;
    let font = ("sans-serif", 13).into_font();
    let left = font.color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    let right = left.pos(Pos::new(HPos::Right, VPos::Center));
    let title = format!("Frames forwarded, Mpps (median, and the range of the rounds). {}", machine.date);
    canvas.draw(&Text::new(title, (10, 16), left.clone()))?;
    let subtitle = format!("{}, Linux {}, {}", machine.cpu, machine.kernel, machine.mode);
    canvas.draw(&Text::new(subtitle, (10, 36), left.clone()))?;

    // The ceiling is several times as high as all others: its bar is cut at the edge.
    let most =
        rows.iter().filter(|row| row.peer != Kind::Ceiling).map(|row| row.max_mpps).fold(0.1, f64::max);
    let x = |mpps: f64| LABELS + ((mpps / most).min(1.0) * f64::from(WIDTH - LABELS - RIGHT)) as i32;
    let mut job = "";
    for (number, row) in (0..).zip(rows) {
        let y = HEAD + number * ROW_HEIGHT + 10;
        if row.job != job {
            job = &row.job;
            canvas.draw(&PathElement::new([(10, y - 10), (WIDTH - 10, y - 10)], OTHERS))?;
            canvas.draw(&Text::new(job.to_owned(), (10, y), left.clone()))?;
        }
        canvas.draw(&Text::new(row.peer.to_string(), (LABELS - 8, y), right.clone()))?;
        let colour = if row.peer == Kind::Trunkpath { TRUNKPATH } else { OTHERS };
        let colour = if row.too_noisy { colour.mix(0.4) } else { colour.mix(1.0) };
        canvas.draw(&Rectangle::new([(LABELS, y - 6), (x(row.median_mpps), y + 6)], colour.filled()))?;
        canvas.draw(&PathElement::new([(x(row.min_mpps), y), (x(row.max_mpps), y)], RANGE))?;
        let value = if row.too_noisy { "too noisy".to_owned() } else { format!("{:.2}", row.median_mpps) };
        canvas.draw(&Text::new(value, (x(row.max_mpps) + 6, y), left.clone()))?;
    }
    canvas.present()
}
