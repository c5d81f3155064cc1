//! What stands between a sandbox and the server while a script runs: its calls, and the look that is taken at it.

use std::cell::{Cell, RefCell};

use mlua::{MultiValue, Value};

use crate::command::spec::{self, Group};
use crate::command::table::{self, Row};
use crate::command::{Ctx, Failure, acl, call, dispatch, eviction, monitor, renaming};
use crate::engine::admission::Verdict;
use crate::engine::scripts::{Kind, Registered};
use crate::lua::invoke;
use crate::resp::Reply;

/// How long the code of a library may take when it is loaded, in microseconds: as long as in Redis.
const LOADING_US: u64 = 500_000;

/// One for each sandbox, held by the functions in it.
#[derive(Default)]
pub struct Host {
    /// The unit that the script is part of; null while none runs.
    ctx: Cell<*mut Ctx<'static>>,
    /// While a library is loaded: the functions that it has registered.
    pub registering: RefCell<Option<Vec<Registered>>>,
    /// Until when that may take, on the monotonic clock in microseconds.
    loading_until_us: Cell<u64>,
}

impl Host {
    /// Lends the unit to the functions of the sandbox while `run` runs the script.
    pub fn lend<R>(&self, ctx: &mut Ctx<'_>, run: impl FnOnce() -> R) -> R {
        struct TakeBack<'a>(&'a Cell<*mut Ctx<'static>>);
        impl Drop for TakeBack<'_> {
            fn drop(&mut self) {
                self.0.set(std::ptr::null_mut());
            }
        }
        assert!(self.ctx.get().is_null(), "scripts do not nest");
        self.ctx.set(std::ptr::from_mut(ctx).cast());
        let _take_back = TakeBack(&self.ctx);
        run()
    }

    /// [`Host::lend`] for loading a library: one that is new ends when its time is up.
    pub fn lend_to_library<R>(&self, ctx: &mut Ctx<'_>, is_new: bool, run: impl FnOnce() -> R) -> R {
        self.loading_until_us.set(if is_new { ctx.engine.tick() + LOADING_US } else { u64::MAX });
        *self.registering.borrow_mut() = Some(Vec::new());
        self.lend(ctx, run)
    }

    /// The unit that is lent.
    ///
    /// # Safety
    /// One answer is used at a time, and none outlives the function of the sandbox that asked, or the end of the script.
    #[allow(clippy::mut_from_ref, reason = "what it answers is not the host's")]
    pub unsafe fn unit(&self) -> Option<&mut Ctx<'static>> {
        // SAFETY: `lend` holds the exclusive borrow that the pointer was made of, and touches it only when the script is over.
        // The lifetime is longer than what was lent, which does no harm to who keeps to the above.
        unsafe { self.ctx.get().as_mut() }
    }

    /// Whether the user of the connection may run a command; none if there is no such command.
    pub fn permits(&self, words: &[&[u8]]) -> Option<bool> {
        // SAFETY: a function of the sandbox, which calls no other.
        let Some(ctx) = (unsafe { self.unit() }) else { return table::resolve(words).map(|_| true) };
        let renamed = renaming::resolve(ctx.engine, words).ok()?;
        let words = renamed.as_deref().unwrap_or(words);
        let row = table::resolve(words)?;
        let user = ctx.client.user.as_deref();
        Some(user.is_none_or(|user| acl::check::permits(user, row, words).is_ok()))
    }

    /// `redis.setresp`
    pub fn set_resp3(&self, resp3: bool) {
        // SAFETY: a function of the sandbox, which calls no other.
        if let Some(ctx) = unsafe { self.unit() }
            && let Some(running) = &mut ctx.engine.scripts.running
        {
            running.resp3 = resp3;
        }
    }
}

impl invoke::Host for Host {
    fn call(&self, words: &[&[u8]], reply: &mut Vec<u8>) -> bool {
        let refuse = |text: &[u8], reply: &mut Vec<u8>| {
            reply.push(b'-');
            reply.extend_from_slice(text);
            reply.extend_from_slice(b"\r\n");
            false
        };
        // SAFETY: a function of the sandbox; a command calls none, for it cannot run a script.
        let Some(ctx) = (unsafe { self.unit() }) else {
            return refuse(b"ERR redis.call/pcall can only be called inside a script invocation", reply);
        };
        let renamed = match renaming::resolve(ctx.engine, words) {
            Ok(renamed) => renamed,
            Err(_) => return refuse(UNKNOWN_COMMAND.text(), reply),
        };
        let words = renamed.as_deref().unwrap_or(words);
        let row = match admit(ctx, words) {
            Ok(row) => row,
            Err(failure) => return refuse(failure.text(), reply),
        };
        let resp3 = ctx.engine.scripts.running.as_ref().is_some_and(|running| running.resp3);
        let outer = std::mem::replace(&mut ctx.reply, Reply::continuing(std::mem::take(reply), resp3));
        call::run(ctx, row, words);
        *reply = std::mem::replace(&mut ctx.reply, outer).into_bytes();
        true
    }

    /// A script that takes long is laid aside, so that others are told of it.
    fn watch(&self) -> mlua::Result<()> {
        // SAFETY: Lua calls this between two instructions of a script, when no function of the sandbox runs.
        let Some(ctx) = (unsafe { self.unit() }) else { return Ok(()) };
        let now_us = ctx.engine.tick();
        let limit_us = ctx.engine.config.busy_reply_threshold().saturating_mul(1000);
        let Some(running) = &mut ctx.engine.scripts.running else {
            return match now_us > self.loading_until_us.get() {
                true => Err(mlua::Error::runtime("FUNCTION LOAD timeout")),
                false => Ok(()),
            };
        };
        let ran_us = now_us.saturating_sub(running.started_us);
        let Some(pauser) = ctx.pauser.filter(|_| limit_us > 0 && ran_us >= limit_us) else { return Ok(()) };
        if !std::mem::replace(&mut running.slow, true) {
            let (name, how) = (&running.name, running.kind.ended_by());
            tracing::warn!(
                "Slow script detected: still in execution after {} milliseconds. You can try killing the script using the \
                 {how} command. Script name is: {name}.",
                ran_us / 1000
            );
        }
        monitor::tell_early(ctx);
        // SAFETY: what was lent before is not used any more: the unit gets what is lent now, and whatever runs above it reaches
        // engine and connection by the unit alone.
        let (engine, client) = unsafe { pauser.pause() };
        (ctx.engine, ctx.client) = (engine, client);
        match &ctx.engine.scripts.running {
            Some(running) if running.killed => {
                Err(mlua::Error::runtime(format!("Script killed by user with {}.", running.kind.ended_by())))
            }
            _ => Ok(()),
        }
    }
}

impl Kind {
    /// The command that ends such a script.
    pub fn ended_by(self) -> &'static str {
        match self {
            Kind::Eval => "SCRIPT KILL",
            Kind::Function => "FUNCTION KILL",
        }
    }
}

/// The words of a command that a script asks about, or what is wrong with them.
pub fn words(arguments: &MultiValue) -> Result<Vec<Vec<u8>>, &'static str> {
    if arguments.is_empty() {
        return Err(invoke::NO_WORDS);
    }
    let word = |argument: &Value| match argument {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Integer(number) => Ok(number.to_string().into_bytes()),
        Value::Number(number) => {
            let mut text = Vec::new();
            invoke::write_number(*number, &mut text);
            Ok(text)
        }
        _ => Err(invoke::WRONG_WORD),
    };
    arguments.iter().map(word).collect()
}

const UNKNOWN_COMMAND: Failure = Failure::fixed("ERR Unknown Redis command called from script");

/// Whether a script may run this command now.
fn admit(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<&'static Row, Failure> {
    let row = table::resolve(words).ok_or(UNKNOWN_COMMAND)?;
    let result = may_run(ctx, row, words);
    if result.is_err() {
        ctx.engine.stats.command(row.id).rejected += 1;
    }
    result.map(|()| row)
}

fn may_run(ctx: &mut Ctx<'_>, row: &Row, words: &[&[u8]]) -> Result<(), Failure> {
    if !row.spec.accepts(words.len()) {
        return Err("ERR Wrong number of args calling Redis command from script".into());
    }
    acl::check::admit_in_script(ctx, row, words)?;
    let flags = row.spec.flags;
    // Whatever a test asks for: what runs scripts or transactions cannot run inside of one.
    let cannot = matches!(row.spec.group, Group::Scripting | Group::Transactions);
    if flags.has(spec::NOSCRIPT) && (cannot || !ctx.engine.scripts.may_call_all) {
        return Err("ERR This Redis command is not allowed from script".into());
    }
    let writes = flags.has(spec::WRITE);
    if !writes && !flags.has(spec::MAY_REPLICATE) {
        return Ok(());
    }
    let running = ctx.engine.scripts.running.as_ref();
    if running.is_some_and(|running| running.read_only) {
        return Err("ERR Write commands are not allowed from read-only scripts.".into());
    }
    let scripts = &ctx.engine.scripts;
    if scripts.out_of_memory
        && flags.has(spec::DENYOOM)
        && running.is_some_and(|running| !running.wrote && !running.allow_oom)
    {
        return Err(eviction::OUT_OF_MEMORY);
    }
    // Who has begun to write goes on: what it did cannot be taken back.
    if writes && running.is_some_and(|running| !running.wrote) {
        dispatch::may_write(ctx.engine)?;
        if let Verdict::Refused(reason) = dispatch::room_for(ctx.engine, words) {
            return Err(dispatch::no_room(&reason));
        }
        if let Some(running) = &mut ctx.engine.scripts.running {
            running.wrote = true;
        }
    }
    Ok(())
}
