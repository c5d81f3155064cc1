//! HELP of the containers, from their rows: each subcommand with its arguments and what it does.

use super::spec::{Arg, ArgKind};
use super::{Ctx, Failure, table};

/// `<container> HELP`
pub fn help(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let Some(container) = table::command(arguments[0]) else { return Err(bad_subcommand(arguments)) };
    let mut lines = Vec::new();
    for row in container.subcommands().iter().filter(|row| row.spec.short_name() != "help") {
        let mut usage = row.spec.short_name().to_ascii_uppercase();
        for argument in row.spec.args {
            usage.push(' ');
            usage.push_str(&syntax(argument));
        }
        lines.push((usage, row.spec.summary));
    }
    write(ctx, container.spec.name, &lines);
    Ok(())
}

/// Writes the help of a container: usage and summary of each subcommand.
pub fn write<S: AsRef<str>>(ctx: &mut Ctx<'_>, container: &str, lines: &[(S, &str)]) {
    let reply = &mut ctx.reply;
    reply.array(lines.len() * 2 + 3);
    let container = container.to_ascii_uppercase();
    reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for (usage, summary) in lines {
        reply.simple(usage.as_ref());
        reply.simple(&format!("    {summary}"));
    }
    reply.simple("HELP");
    reply.simple("    Prints this help.");
}

/// An argument as one writes it down: `[EX <seconds>]`, `(ON|OFF)`, `<key> [<key> …]`.
fn syntax(argument: &Arg) -> String {
    let inner = match argument.kind {
        ArgKind::PureToken => String::new(),
        ArgKind::OneOf => {
            // Which of them may be left out says nothing here: one is chosen.
            let choices: Vec<String> = argument.args.iter().map(|choice| syntax(&choice.required())).collect();
            let choices = choices.join("|");
            if argument.optional && argument.token.is_none() { choices } else { format!("({choices})") }
        }
        ArgKind::Block => argument.args.iter().map(syntax).collect::<Vec<_>>().join(" "),
        _ => format!("<{}>", argument.display.unwrap_or(argument.name)),
    };
    let mut text = match (argument.token, inner.is_empty()) {
        (Some(token), true) => token.to_owned(),
        (Some(token), false) => format!("{token} {inner}"),
        (None, _) => inner.clone(),
    };
    if argument.multiple {
        let again = if argument.multiple_token { text.clone() } else { inner };
        text = format!("{text} [{again} ...]");
    }
    if argument.optional { format!("[{text}]") } else { text }
}

/// The error for a subcommand that does not exist or has the wrong number of arguments, where the command looks itself.
pub fn bad_subcommand(arguments: &[&[u8]]) -> Failure {
    /// The longest part of a client's words that the error repeats.
    const ECHO_LIMIT: usize = 128;
    let subcommand = arguments.get(1).copied().unwrap_or_default();
    let text: [&[u8]; 5] = [
        b"ERR unknown subcommand or wrong number of arguments for '",
        &subcommand[..subcommand.len().min(ECHO_LIMIT)],
        b"'. Try ",
        &arguments[0].to_ascii_uppercase(),
        b" HELP.",
    ];
    Failure::new(text.concat())
}
