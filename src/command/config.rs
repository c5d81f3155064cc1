//! CONFIG: reading, changing and keeping settings.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::{Ctx, Failure, blocking, failure};
use crate::engine::Request;

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
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, value]| (*name, *value)).collect();
    if ctx.in_transaction() && changes_policy(ctx, &pairs) {
        return Err(POLICY_IN_TRANSACTION);
    }
    let protected = ctx.engine.config.enable_protected_configs().admits(ctx.client.peer.is_local);
    let changes = ctx.engine.config.set(&pairs, protected).map_err(|error| Failure::new(format!("ERR {error}")))?;
    let names = changes.names();
    for warning in names.iter().filter_map(|name| ctx.engine.config.warning(name)) {
        tracing::warn!("{warning}");
    }
    ctx.engine.renew_access();
    let changes_policy = names.contains(&"appendfsync");
    if !names.is_empty() {
        ctx.engine.request(Request::ApplySettings(names));
    }
    if changes_policy {
        blocking::wait_for_sync_policy(ctx);
    } else {
        ctx.reply.ok();
    }
    Ok(())
}

/// Whether the log is to be written otherwise than it is.
fn changes_policy(ctx: &Ctx<'_>, pairs: &[(&[u8], &[u8])]) -> bool {
    let is_other = |value: &[u8]| {
        ctx.engine.log_policy.is_some_and(|policy| !policy.name().as_bytes().eq_ignore_ascii_case(value))
    };
    pairs.iter().any(|(name, value)| name.eq_ignore_ascii_case(b"appendfsync") && is_other(value))
}

/// CONFIG REWRITE
pub fn rewrite(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let file = ctx.engine.config.file().ok_or("ERR The server is running without a config file")?;
    let failed = |error: io::Error| Failure::new(format!("ERR Rewriting config file: {error}"));
    let old = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    replace(file, &ctx.engine.config.rewritten(&old)).map_err(|error| {
        tracing::warn!("CONFIG REWRITE failed: {error}");
        failed(error)
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

/// Puts `text` in the place of a file in one step, durably: a crash leaves the old text or the new one.
fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
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
    use super::super::harness::Harness;
    use crate::engine::config::AppendFsync;

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
