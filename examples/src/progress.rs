//! The display of running operations: moving lines on a terminal, plain ones elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal as _, stderr, stdout};
use std::time::Duration;

use graph_operation::{Model, Update};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// A display on standard error, with one line for each operation.
#[derive(Debug)]
pub struct Progress {
    /// `None` without a terminal.
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Lines that move if both outputs are a terminal, and plain ones otherwise.
    pub fn new() -> Self {
        let watched = stdout().is_terminal() && stderr().is_terminal();
        Self { bars: watched.then(MultiProgress::new) }
    }

    /// Adds the line of one operation.
    #[must_use]
    pub fn line(&self, name: impl Into<String>) -> Line {
        let name = name.into();
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner().with_style(style()));
            bar.set_prefix(name.clone());
            bar.enable_steady_tick(Duration::from_millis(80));
            bar
        });
        Line { name, bar }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix:16!} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// The line of one operation.
#[derive(Debug)]
pub struct Line {
    name: String,
    bar: Option<ProgressBar>,
}

impl Line {
    /// Shows what a check found.
    pub fn show<M: Model>(&self, update: &Update<M>) {
        let status = update.operation().map_or("finished at once", Model::status);
        let parts = update
            .progress()
            .map(|progress| format!(", {} of {} parts", progress.done(), progress.total()));
        let next = update.next_check().map(|time| format!(", next in {:.1} s", time.as_secs_f64()));
        let (parts, next) = (parts.unwrap_or_default(), next.unwrap_or_default());
        self.say(format_args!("{status}, check {}{parts}{next}", update.checks()));
    }

    /// Shows any other text.
    pub fn say(&self, text: impl Display) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_string()),
            None => eprintln!("{}: {text}", self.name),
        }
    }

    /// Shows how the operation ended, and stops the line.
    pub fn end(&self, text: impl Display) {
        match &self.bar {
            Some(bar) => bar.finish_with_message(text.to_string()),
            None => self.say(text),
        }
    }
}
