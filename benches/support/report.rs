//! What a bench found: rows beside what they must reach, as a table or as JSON.

use super::{Host, Samples};
use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};
use serde_json::{Value, json};

/// A figure of the specification, judged.
#[derive(Debug, Clone)]
pub struct Reach {
    /// In words: `p99 < 10 ms`.
    pub goal: String,
    /// Whether it was reached.
    pub reached: bool,
}

impl Reach {
    /// `value` must be below `limit`.
    pub fn below(what: &str, value: f64, limit: f64, unit: &str) -> Self {
        Self { goal: format!("{what} < {limit} {unit}"), reached: value < limit }
    }
}

/// One line of a report.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    unit: &'static str,
    samples: usize,
    p50: f64,
    p99: f64,
    max: f64,
    note: String,
    reaches: Vec<Reach>,
}

impl Row {
    /// A line about samples.
    pub fn new(what: impl Into<String>, unit: &'static str, samples: &Samples) -> Self {
        Self {
            what: what.into(),
            unit,
            samples: samples.len(),
            p50: samples.p50(),
            p99: samples.p99(),
            max: samples.max(),
            note: String::new(),
            reaches: Vec::new(),
        }
    }

    /// A line about one number.
    pub fn one(what: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self::new(what, unit, &Samples::from_iter([value]))
    }

    /// Adds a figure that it must reach.
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reaches.push(reach);
        self
    }

    /// Adds a remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn cells(&self) -> Vec<String> {
        let number = |value: f64| format!("{value:.2}");
        let (p50, p99, max) = match self.samples {
            1 => (number(self.p50), String::new(), String::new()),
            _ => (number(self.p50), number(self.p99), number(self.max)),
        };
        let goals = self.reaches.iter().map(|r| format!("{} {}", if r.reached { "✓" } else { "✗" }, r.goal));
        let words: Vec<String> = goals.chain((!self.note.is_empty()).then(|| self.note.clone())).collect();
        vec![self.what.clone(), self.unit.into(), self.samples.to_string(), p50, p99, max, words.join("\n")]
    }

    fn json(&self) -> Value {
        let reaches: Vec<_> =
            self.reaches.iter().map(|reach| json!({ "goal": reach.goal, "reached": reach.reached })).collect();
        json!({
            "what": self.what, "unit": self.unit, "samples": self.samples,
            "p50": self.p50, "p99": self.p99, "max": self.max, "note": self.note, "reach": reaches,
        })
    }
}

/// Everything that a bench says.
#[derive(Debug, Default)]
pub struct Report {
    title: String,
    conditions: Vec<String>,
    tables: Vec<(String, Vec<Row>)>,
    texts: Vec<(String, String)>,
}

impl Report {
    /// A report about `title`.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Names a condition under which it was measured.
    pub fn condition(&mut self, text: impl Into<String>) {
        self.conditions.push(text.into());
    }

    /// Adds a table.
    pub fn table(&mut self, title: impl Into<String>, rows: Vec<Row>) {
        self.tables.push((title.into(), rows));
    }

    /// Adds a text as it is.
    pub fn text(&mut self, title: impl Into<String>, text: impl Into<String>) {
        self.texts.push((title.into(), text.into()));
    }

    /// Prints all of it to stdout.
    pub fn print(&self, json: bool) {
        let host = Host::look();
        if json {
            let tables: Vec<_> = self
                .tables
                .iter()
                .map(|(title, rows)| json!({ "title": title, "rows": rows.iter().map(Row::json).collect::<Vec<_>>() }))
                .collect();
            let texts: Vec<_> =
                self.texts.iter().map(|(title, text)| json!({ "title": title, "text": text })).collect();
            let document = json!({
                "schema_version": 1, "bench": self.title, "host": host.lines(), "conditions": self.conditions,
                "tables": tables, "texts": texts,
            });
            println!("{document:#}");
            return;
        }
        println!("\n{}\n", self.title);
        for line in host.lines().iter().chain(&self.conditions) {
            println!("  {line}");
        }
        for (title, rows) in &self.tables {
            println!("\n{title}\n{}", table(rows));
        }
        for (title, text) in &self.texts {
            println!("\n{title}\n{text}");
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(["what", "unit", "n", "p50", "p99", "max", "reach"]);
    for row in rows {
        table.add_row(row.cells());
    }
    for column in 2..=5 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
