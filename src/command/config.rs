//! CONFIG: reading, changing and keeping settings.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Ctx, Failure, acl, blocking, failure};
use crate::engine::config::Config;
use crate::engine::{Engine, Request};

/// The reply to such a change says that the log is written so; EXEC cannot wait for that between its commands, and must
/// not promise it.
const POLICY_IN_TRANSACTION: Failure =
    Failure::fixed("ERR appendfsync cannot be changed inside MULTI: the reply has to wait until the log follows");

/// CONFIG GET pattern \[pattern …\]
pub fn get(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let found = ctx.engine.config.get(&arguments[2..]);
    ctx.reply.map(found.len());
    for (name, value) in found {
        ctx.reply.bulk(&name);
        ctx.reply.bulk(&value);
    }
    Ok(())
}

/// CONFIG SET name value \[name value …\]
pub fn set(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (pairs, rest) = arguments[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(failure::SYNTAX);
    }
    let present = ctx.engine.config.dir().to_owned();
    let value = |name: &[u8], value| if names_directory(name, value, &present) { present.as_bytes() } else { value };
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, text]| (*name, value(name, text))).collect();
    let protected = ctx.engine.config.enable_protected_configs().admits(ctx.client.peer.is_local);
    let changes = ctx.engine.config.set(&pairs, protected).map_err(|error| Failure::new(format!("ERR {error}")))?;
    let names = changes.names();
    if names.contains(&"dir") {
        // Only the log of the present one is written: the next start would find an empty server in the other.
        let reason = other_directory(&Path::new(&present).join(ctx.engine.config.dir()));
        ctx.engine.config.roll_back(changes);
        return Err(reason);
    }
    let changes_policy = names.contains(&"appendfsync");
    if changes_policy && ctx.in_transaction() {
        ctx.engine.config.roll_back(changes);
        return Err(POLICY_IN_TRANSACTION);
    }
    for warning in names.iter().filter_map(|name| ctx.engine.config.warning(name)) {
        tracing::warn!("{warning}");
    }
    ctx.engine.renew_access();
    if names.contains(&"requirepass") {
        ctx.engine.follow_requirepass(Some(ctx.client));
    }
    if names.iter().any(|name| name.starts_with("maxmemory")) {
        memory_limit_changed(ctx.engine);
    }
    ctx.engine.slowlog.shorten(ctx.engine.config.slowlog_max_len());
    if !names.is_empty() {
        ctx.engine.request(Request::ApplySettings(names));
    }
    if changes_policy {
        ctx.engine.policy_changes = Some(changes);
        blocking::wait_for_sync_policy(ctx);
    } else {
        ctx.reply.ok();
    }
    Ok(())
}

/// Lets eviction look at once, and says so if there is much to do.
fn memory_limit_changed(engine: &mut Engine) {
    engine.clients.count_all();
    engine.memory.survey();
    engine.scripts.out_of_memory = false;
    if engine.memory_is_full() {
        tracing::warn!(
            "{} bytes of memory are in use, more than the maxmemory of {} bytes: keys will be evicted or writes refused, as \
             maxmemory-policy says",
            engine.counted_memory(),
            engine.config.maxmemory()
        );
    }
    engine.eviction.ask();
}

/// Whether it is `dir` that is set, to the directory that it names now, whatever the spelling.
fn names_directory(name: &[u8], value: &[u8], present: &str) -> bool {
    let place = |path: &Path| path.canonicalize().ok();
    let asked = Path::new(present).join(std::ffi::OsStr::from_bytes(value));
    name.eq_ignore_ascii_case(b"dir") && place(&asked).is_some_and(|asked| place(Path::new(present)) == Some(asked))
}

/// Why `dir` stays as it is.
fn other_directory(asked: &Path) -> Failure {
    let reason = match fs::read_dir(asked) {
        // As Redis says it when it cannot go there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => "Not a directory".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        _ => "ackd serves the data of its present directory; another one takes a restart".to_owned(),
    };
    Failure::new(format!("ERR CONFIG SET failed (possibly related to argument 'dir') - {reason}"))
}

/// CONFIG REWRITE
pub fn rewrite(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if ctx.engine.config.file().is_none() {
        return Err("ERR The server is running without a config file".into());
    }
    write_file(ctx.engine, Config::rewritten).map_err(|error| {
        tracing::warn!("CONFIG REWRITE failed: {error}");
        Failure::new(format!("ERR Rewriting config file: {error}"))
    })?;
    tracing::info!("CONFIG REWRITE executed with success");
    ctx.reply.ok();
    Ok(())
}

/// CONFIG RESETSTAT
pub fn resetstat(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.stats.reset();
    ctx.reply.ok();
    Ok(())
}

/// Puts what `rewrite` makes of the settings, of the users of this moment and of the file's text in the place of the file.
pub(super) fn write_file(engine: &mut Engine, rewrite: fn(&Config, &[u8]) -> Vec<u8>) -> io::Result<()> {
    let users = engine.acl.users().map(|user| acl::line(user)).collect();
    engine.config.state_users(users);
    let config = &engine.config;
    let file = config.file().ok_or(io::ErrorKind::NotFound)?;
    let old = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        text => text?,
    };
    replace(file, &rewrite(config, &old))
}

/// Puts `text` in the place of a file in one step, durably: a crash leaves the old text or the new one.
pub(super) fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    // What the name links to is replaced, and not the link.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder.join(name);
    let result = (|| {
        let mut new = File::create(&temporary)?;
        if let Ok(old) = fs::metadata(&file) {
            new.set_permissions(old.permissions())?;
        }
        new.write_all(text)?;
        new.sync_all()?;
        fs::rename(&temporary, &file)?;
        File::open(folder)?.sync_all()
    })();
    if result.is_err() {
        // Nothing is lost if it stays; the error that is reported is the first one.
        let _ = fs::remove_file(&temporary);
    }
    result
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::harness::Harness;
    use crate::engine::config::{AppendFsync, Config, Reader, Source};

    #[test]
    fn settings_are_read_in_the_form_of_the_protocol() {
        let mut server = Harness::new();
        assert_eq!(server.run("config get hz MAXMEMORY-P*"), "*4 $2 hz $2 10 $16 maxmemory-policy $10 noeviction");
        server.run("hello 3");
        assert!(server.run("config get nope").ends_with('0'));
    }

    #[test]
    fn changes_are_made_together_or_refused_with_an_error() {
        let mut server = Harness::new();
        assert_eq!(server.run("config set hz 20 timeout 5"), "+OK");
        assert_eq!(server.run("config get hz timeout"), "*4 $2 hz $2 20 $7 timeout $1 5");
        assert_eq!(server.run("config set hz 30 timeout"), "-ERR syntax error");
        assert_eq!(
            server.run("config set hz 30 nope 1"),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'"
        );
        assert_eq!(
            server.run("config set hz 30 timeout x"),
            "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer"
        );
        assert_eq!(server.engine.config.hz(), 20);
        assert_eq!(server.run("config set"), "-ERR wrong number of arguments for 'config|set' command");
    }

    fn with_data_in(folder: &Path) -> Harness {
        let mut config = Config::new();
        let text = format!("enable-protected-configs yes\ndir {}", folder.display());
        let source = Source { name: "test".into(), text: text.into() };
        Reader::new(&mut config).file(&source, &mut |_| Ok(vec![])).unwrap();
        let mut server = Harness::new();
        server.engine.config = config;
        server
    }

    #[test]
    fn the_directory_does_not_change_under_the_data_that_are_served() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let mut server = with_data_in(folder.path());
        let failed = "-ERR CONFIG SET failed (possibly related to argument 'dir') -";
        let present = server.run("config get dir");
        for (place, reason) in [
            (other.to_str().unwrap(), "ackd serves the data of its present directory; another one takes a restart"),
            ("other", "ackd serves the data of its present directory; another one takes a restart"),
            ("/nonexistent/folder", "No such file or directory"),
            ("file", "Not a directory"),
        ] {
            assert_eq!(server.run(&format!("config set hz 20 dir {place}")), format!("{failed} {reason}"));
            assert_eq!(server.run("config get dir"), present);
            assert_eq!(server.engine.config.hz(), 10, "all or nothing");
        }
        for same in [".", "./", "other/..", folder.path().to_str().unwrap()] {
            assert_eq!(server.run(&format!("config set dir {same}")), "+OK");
            assert_eq!(server.run("config get dir"), present);
        }
    }

    #[test]
    fn a_policy_that_the_log_cannot_take_takes_the_whole_command_back() {
        let mut server = Harness::new();
        server.engine.policy_applied(AppendFsync::Always);
        assert_eq!(server.run("config set hz 20 appendfsync everysec timeout 5"), "", "it waits for the log");
        server.engine.policy_refused("no space".into());
        assert_eq!((server.engine.config.hz(), server.engine.config.timeout()), (10, 0));
        assert_eq!(server.engine.config.appendfsync(), AppendFsync::Always);
    }

    #[test]
    fn a_transaction_never_acknowledges_a_policy_that_is_not_yet_applied() {
        let mut server = Harness::new();
        server.engine.log_policy = Some(AppendFsync::EverySec);
        assert_eq!(server.run("config set appendfsync everysec"), "+OK");
        for (value, reply) in [("always", "-ERR appendfsync cannot be changed inside MULTI"), ("everysec", "+OK")] {
            server.run("multi");
            server.run(&format!("config set hz 20 appendfsync {value}"));
            let answer = server.run("exec");
            assert!(answer.starts_with(&format!("*1 {reply}")), "{answer}");
            assert_eq!(server.run("config get appendfsync"), "*2 $11 appendfsync $8 everysec");
        }
    }

    #[test]
    fn rewriting_replaces_the_file_and_keeps_its_comments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        std::fs::write(&path, "# mine\nhz 10\n").unwrap();
        let mut server = Harness::new();
        assert_eq!(server.run("config rewrite"), "-ERR The server is running without a config file");
        server.engine.config.set_file(path.clone());
        assert_eq!(server.run("config set hz 20 timeout 5"), "+OK");
        assert_eq!(server.run("config rewrite"), "+OK");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# mine\nhz 20\n# Generated by CONFIG REWRITE\ntimeout 5\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
