//! Scripts that run for long: they are laid aside now and then, and meanwhile others are told that the server is busy.
//!
//! A unit that may run a script runs on a stack of its own ([`Fiber`]). When the script has run for `busy-reply-threshold`,
//! the unit pauses after each look that is taken at it. It stays the unit under way: nothing else changes data or takes
//! effects to the log, and what others may do meanwhile, such as SCRIPT KILL, has none.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::command::table::Row;
use crate::command::{Ctx, Failure, Origin, call, spec};
use crate::engine::Engine;
use crate::engine::client::{Blocked, BlockedOn, Client};
use crate::engine::fiber::{Fiber, Stretch};
use crate::engine::scripts::{Busy, Kind, Words};
use crate::resp::Reply;

/// Whether a command may run a script.
pub fn may_run(client: &Client, row: &Row) -> bool {
    is_script(row)
        || row.spec.name == "exec" && client.transaction.as_ref().is_some_and(|transaction| transaction.runs_scripts)
}

/// [`call::execute`] for such a command.
pub fn execute(engine: &mut Engine, client: &mut Client, row: &'static Row, arguments: &[&[u8]]) {
    let words = Rc::new(Words::copy(arguments));
    let for_the_unit = words.clone();
    let stack = engine.scripts.stack.take();
    let fiber = Fiber::new(stack, move |pauser| {
        // SAFETY: this is the beginning. Both become part of the unit, which gets others after each pause.
        let (engine, client) = unsafe { pauser.begin() };
        let words: SmallVec<[&[u8]; 8]> = for_the_unit.iter().collect();
        engine.stream.begin_unit();
        let reply = Reply::continuing(std::mem::take(&mut engine.scripts.spare_reply), client.resp3);
        let mut ctx = Ctx::new(engine, client, reply, Origin::Client);
        ctx.pauser = Some(pauser);
        call::run(&mut ctx, row, &words);
        ctx.pauser = None;
        // Behind what was put there while it paused.
        let mut buffer = ctx.client.output.take();
        let start = buffer.len();
        buffer.extend_from_slice(ctx.reply.as_bytes());
        let resp3 = ctx.client.resp3;
        let spare = std::mem::replace(&mut ctx.reply, Reply::continuing(buffer, resp3));
        ctx.engine.scripts.keep_spare(spare.into_bytes());
        call::finish(ctx, start);
    });
    match fiber {
        Ok(fiber) => go_on_with(engine, client, Busy { fiber, client: client.id, words }),
        Err(error) => {
            let failure = Failure::new(format!("ERR there is no memory for the script's stack: {error}"));
            call::answer(engine, client, |ctx| call::refuse(ctx, row, &failure));
        }
    }
}

/// Lets the client's script go on; answers whether it is over.
pub fn go_on(engine: &mut Engine, client: &mut Client) -> bool {
    if let Some(busy) = engine.scripts.busy.take_if(|busy| busy.client == client.id) {
        client.blocked = None;
        engine.stream.resume_unit();
        go_on_with(engine, client, busy);
        if engine.scripts.busy.is_none() {
            engine.script_ended();
        }
    }
    !runs(client)
}

fn go_on_with(engine: &mut Engine, client: &mut Client, busy: Busy) {
    let Busy { fiber, client: id, words } = busy;
    match fiber.resume(engine, client) {
        Stretch::Ended(stack) => engine.scripts.stack = Some(stack),
        Stretch::Paused(fiber) => {
            engine.stream.pause_unit();
            client.blocked = Some(Blocked { on: BlockedOn::Script, deadline_us: None });
            engine.scripts.busy = Some(Busy { fiber, client: id, words });
        }
    }
}

/// Whether a script of this client is laid aside.
pub fn runs(client: &Client) -> bool {
    client.blocked.is_some_and(|blocked| blocked.on == BlockedOn::Script)
}

/// Gives the script up that is laid aside: the server stops. It never was in the log, so it never was.
pub fn abandon(engine: &mut Engine) {
    if let Some(busy) = engine.scripts.busy.take() {
        engine.scripts.running = None;
        engine.stream.drop_unit();
        engine.release_time(None);
        if let Some(client) = engine.clients.get_mut(busy.client) {
            client.blocked = None;
        }
        tracing::warn!("a script was running: nothing of what it did is kept");
    }
}

/// What others are told while a script is laid aside.
pub fn refusal(engine: &Engine) -> Option<Failure> {
    let running = engine.scripts.running.as_ref().filter(|_| engine.scripts.busy.is_some())?;
    let how = running.kind.ended_by();
    Some(Failure::new(format!("BUSY Redis is busy running a script. You can only call {how} or SHUTDOWN NOSAVE.")))
}

/// SCRIPT KILL and FUNCTION KILL.
pub fn kill(ctx: &mut Ctx<'_>, kind: Kind) -> Result<(), Failure> {
    const UNKILLABLE: &str = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
                              either wait the script termination or kill the server in a hard way using the SHUTDOWN \
                              NOSAVE command.";
    let scripts = &mut ctx.engine.scripts;
    let Some(running) = scripts.running.as_mut().filter(|_| scripts.busy.is_some()) else {
        return Err("NOTBUSY No scripts in execution right now.".into());
    };
    if running.kind != kind {
        return Err(refusal(ctx.engine).unwrap_or("NOTBUSY No scripts in execution right now.".into()));
    }
    if running.wrote {
        return Err(UNKILLABLE.into());
    }
    running.killed = true;
    ctx.reply.ok();
    Ok(())
}

/// Whether a command runs a script: those are the ones with both properties.
pub fn is_script(row: &Row) -> bool {
    row.spec.flags.has(spec::NO_MANDATORY_KEYS.and(spec::SKIP_MONITOR))
}
