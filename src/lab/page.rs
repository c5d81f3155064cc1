//! Pages for a browser, each whole in one file: a campaign's table, and a failure's timeline.

use std::fmt::Write as _;

use super::case::Case;
use super::history::{Call, History};
use super::judge::call_in_words;
use super::report::{Report, outcome};
use super::volume::Moment;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1c2330;background:#fff}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dee8;vertical-align:top}\
code,pre{font:13px/1.45 ui-monospace,monospace}pre{white-space:pre-wrap;background:#f4f6fa;padding:.7rem;border-radius:6px}\
.bad{color:#b3261e}.good{color:#1b6e3c}svg{width:100%;height:auto;background:#f9fafc;border:1px solid #d8dee8;border-radius:6px}\
@media(prefers-color-scheme:dark){body{background:#14181f;color:#dfe5ee}pre,svg{background:#1c222c;border-color:#323b49}td,th{border-color:#323b49}.bad{color:#ff8a80}.good{color:#7fd6a0}}";

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><h1>{0}</h1>{body}</html>\n",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A campaign.
pub fn of_report(report: &Report) -> String {
    let mut body = String::new();
    let class = if report.is_sound() && !report.is_incomplete() { "good" } else { "bad" };
    let _ = write!(
        body,
        "<p class=\"{}\"><strong>{}</strong></p><p><code>{}</code></p><p>{}; seed {}; promised: {}</p>",
        class,
        report.verdict(),
        escape(&report.server),
        escape(&report.load),
        report.seed,
        escape(&report.promise),
    );
    body.push_str("<table><tr><th>fault<th>rounds<th>acked<th>judged<th>outcome<th>seconds</tr>");
    for part in &report.parts {
        let class = if part.broken > 0 || part.is_incomplete() { "bad" } else { "good" };
        let _ = write!(
            body,
            "<tr><td>{}<td>{}<td>{}<td>{}<td class=\"{class}\">{}<td>{:.1}</tr>",
            part.fault,
            part.rounds,
            part.acked,
            part.judged,
            escape(&outcome(part)),
            part.seconds,
        );
    }
    body.push_str("</table>");
    for part in &report.parts {
        for remark in part.remarks.iter().chain(&part.untested) {
            let _ = write!(body, "<p>{}: {}</p>", part.fault, escape(remark));
        }
    }
    for part in report.parts.iter().filter(|part| part.broken > 0) {
        let _ = write!(
            body,
            "<h2>{}: broken {} times</h2><pre>{}</pre>",
            part.fault,
            part.broken,
            escape(&part.first.join("\n"))
        );
        for (file, _) in &part.cases {
            let shown = file.with_file_name("report.html");
            let (link, name) = (escape(&shown.display().to_string()), escape(&file.display().to_string()));
            let _ = write!(body, "<p><a href=\"{link}\">timeline</a> · <code>ackd torture --replay {name}</code></p>");
        }
    }
    page("ackd torture", &body)
}

/// A failure.
pub fn of_case(case: &Case) -> String {
    let mut body = format!(
        "<p><code>{}</code></p><p>fault: <strong>{}</strong>, seed {}</p><h2>What is wrong</h2><pre class=\"bad\">{}</pre>",
        escape(&case.server.join(" ")),
        escape(&case.fault),
        case.seed,
        escape(&case.findings.join("\n")),
    );
    if !case.damage.is_empty() {
        let _ = write!(body, "<h2>What was done to the files</h2><pre>{}</pre>", escape(&case.damage.join("\n")));
    }
    for history in &case.histories {
        let _ = write!(body, "<h2>Keys {{{}}}</h2>", history.cell);
        body.push_str(&timeline(history, case.at));
        let _ = write!(body, "<p>The state before:</p><pre>{}</pre>", escape(&format!("{:?}", history.initial)));
        body.push_str("<table><tr><th>client<th>from<th>to<th>call</tr>");
        for call in &history.calls {
            let to = call.returned.as_ref().map_or("no reply".into(), |(stamp, _)| stamp.tick.to_string());
            let _ = write!(
                body,
                "<tr><td>{}<td>{}<td>{to}<td><code>{}</code></tr>",
                call.client,
                call.invoked.tick,
                escape(&call_in_words(call)),
            );
        }
        body.push_str("</table>");
    }
    body.push_str("<p>Each moment is a tick of the clock that orders calls and what the server did to its files.</p>");
    page(&format!("ackd torture: {}", case.fault), &body)
}

const WIDTH: f64 = 1000.0;
const ROW: f64 = 22.0;

/// A row for each client, a bar for each call; the crash is a line.
fn timeline(history: &History, at: Moment) -> String {
    let Some(first) = history.calls.first() else { return String::new() };
    let start = first.invoked.tick;
    let end =
        history.calls.iter().map(|call| call.returned.as_ref().map_or(call.invoked.tick, |(stamp, _)| stamp.tick));
    let end = end.max().unwrap_or(start).max(if at == Moment::MAX { 0 } else { at }) + 1;
    let x = |tick: Moment| 70.0 + (tick.saturating_sub(start)) as f64 / (end - start) as f64 * (WIDTH - 90.0);
    let mut clients: Vec<u32> = history.calls.iter().map(|call| call.client).collect();
    clients.sort_unstable();
    clients.dedup();
    let height = ROW * (clients.len() as f64 + 1.0) + 10.0;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"timeline\">");
    for (row, client) in clients.iter().enumerate() {
        let y = row as f64 * ROW + 10.0;
        let _ = write!(
            svg,
            "<text x=\"4\" y=\"{:.1}\" font-size=\"11\" fill=\"currentColor\">client {client}</text>",
            y + 12.0
        );
        for call in history.calls.iter().filter(|call| call.client == *client) {
            bar(&mut svg, call, y, &x, end);
        }
    }
    if (start..end).contains(&at) {
        let _ = write!(
            svg,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{height}\" stroke=\"#b3261e\" stroke-width=\"2\"/>\
             <text x=\"{0:.1}\" y=\"{1:.1}\" font-size=\"11\" fill=\"#b3261e\" text-anchor=\"end\">crash </text>",
            x(at),
            height - 6.0,
        );
    }
    svg.push_str("</svg>");
    svg
}

fn bar(svg: &mut String, call: &Call, y: f64, x: &dyn Fn(Moment) -> f64, end: Moment) {
    let from = x(call.invoked.tick);
    let to = x(call.returned.as_ref().map_or(end, |(stamp, _)| stamp.tick));
    let color = match (&call.returned, call.operation.is_read()) {
        (None, _) => "#9aa4b2",
        (Some(_), true) => "#5b8def",
        (Some(_), false) => "#2f9e62",
    };
    let _ = write!(
        svg,
        "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"14\" rx=\"3\" fill=\"{color}\"><title>{}</title></rect>",
        (to - from).max(2.0),
        escape(&call_in_words(call)),
    );
}
