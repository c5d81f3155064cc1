//! Settings of the process, its log of messages, and of what Redis has inside.

use super::super::composite::Composite::{Locale, OomScores, TitleTemplate};
use super::super::setting::{Kind, choice, number, path, special, text, toggle};
use super::Section;
use super::serving::INT;

const ON_SIGNAL: &[(&str, u8)] = &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4), ("force", 8)];
const SAVE_AND_NOSAVE: u8 = 1 | 2;
const SAVE_OR_NOSAVE: &str = "shutdown options SAVE and NOSAVE can't be used simultaneously";

pub static PROCESS: Section = Section {
    title: "Process",
    settings: &[
        toggle("daemonize", "no", "Runs in the background.").at_start(),
        choice(
            "supervised",
            "no",
            &[("upstart", 1), ("systemd", 2), ("auto", 3), ("no", 0)],
            "Whom to tell that the server is ready.",
        )
        .at_start(),
        path("pidfile", "", "File that holds the process id while the server runs.").at_start(),
        number("shutdown-timeout", "10", INT, "Seconds to wait for replicas at shutdown.").remembered(),
        special(
            "shutdown-on-sigint",
            "default",
            Kind::Flags(ON_SIGNAL),
            "How SIGINT ends the server; see `shutdown-on-sigterm`.",
        )
        .excluding(SAVE_AND_NOSAVE, SAVE_OR_NOSAVE),
        special(
            "shutdown-on-sigterm",
            "default",
            Kind::Flags(ON_SIGNAL),
            "How SIGTERM ends the server. All is in the log in any case; a snapshot, and with it `dbfilename`, is written \
             before the end only with `save`. In Redis it is by default, if there are `save` points.",
        )
        .excluding(SAVE_AND_NOSAVE, SAVE_OR_NOSAVE),
        toggle("set-proc-title", "yes", "Shows address and mode in the list of processes.").at_start().remembered(),
        special(
            "proc-title-template",
            "{title} {listen-addr} {server-mode}",
            Kind::Composite(TitleTemplate),
            "What the list of processes shows.",
        )
        .remembered(),
        choice(
            "oom-score-adj",
            "no",
            &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)],
            "Whether the kernel is told which process to kill first for want of memory.",
        )
        .remembered(),
        special(
            "oom-score-adj-values",
            "0 200 800",
            Kind::Composite(OomScores),
            "Scores of a primary, a replica and a child.",
        )
        .remembered(),
        toggle(
            "disable-thp",
            "yes",
            "Turns transparent huge pages off for the process: while a snapshot is taken, a write to one copies all of it.",
        )
        .at_start(),
        toggle("crash-log-enabled", "yes", "Writes a report after a crash.").remembered(),
        toggle("crash-memcheck-enabled", "yes", "Tests the memory after a crash.").remembered(),
        number("watchdog-period", "0", INT, "Milliseconds after which a stall is reported. For tests.")
            .remembered()
            .hidden(),
        text("ignore-warnings", "", "Warnings of the start that are not shown.").remembered(),
        special("locale-collate", "", Kind::Composite(Locale), "Locale by which strings are compared.").remembered(),
    ],
};

pub static LOGGING: Section = Section {
    title: "Messages",
    settings: &[
        choice(
            "loglevel",
            "notice",
            &[("debug", 0), ("verbose", 1), ("notice", 2), ("warning", 3), ("nothing", 4)],
            "How much is reported.",
        ),
        path("logfile", "", "File for messages; empty for standard output.").at_start(),
        toggle("syslog-enabled", "no", "Sends messages to syslog.").at_start().remembered(),
        text("syslog-ident", "redis", "Name under which they are sent.").at_start().remembered(),
        choice(
            "syslog-facility",
            "local0",
            &[
                ("user", 1),
                ("local0", 16),
                ("local1", 17),
                ("local2", 18),
                ("local3", 19),
                ("local4", 20),
                ("local5", 21),
                ("local6", 22),
                ("local7", 23),
            ],
            "Facility to which they are sent.",
        )
        .at_start()
        .remembered(),
        toggle("always-show-logo", "no", "Shows Redis' logo at the start.").at_start().remembered(),
    ],
};

pub static INTERNALS: Section = Section {
    title: "Threads and processors",
    settings: &[
        number("io-threads", "1", (1, 128), "Threads that read and write sockets. ackd uses one for everything.")
            .at_start()
            .remembered(),
        toggle("io-threads-do-reads", "no", "Whether they read, too.").at_start().remembered(),
        text("server_cpulist", "", "Processors for the server.").at_start().remembered(),
        text("bio_cpulist", "", "Processors for background work.").at_start().remembered(),
        text("aof_rewrite_cpulist", "", "Processors for rewriting.").at_start().remembered(),
        text("bgsave_cpulist", "", "Processors for snapshots.").at_start().remembered(),
    ],
};
