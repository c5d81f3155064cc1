//! GEOSEARCH, GEOSEARCHSTORE and the older GEORADIUS….
//!
//! What is stored is logged as its members with their scores: a copy that computed distances anew, with another
//! mathematical library, could come to other ones.

use std::cmp::Ordering;

use super::super::failure::{self, Failure};
use super::super::key_positions::KeyPosition;
use super::super::spec::{ACCESS, Access, OW, RO, UPDATE};
use super::super::{Ctx, parse};
use super::{of_member, position, unit, write_distance, write_position};
use crate::base::geohash::{Position, Search, Shape, to_integer};
use crate::command::zsets::{double, limits, store_resolved};
use crate::keyspace::Zset;

/// How a command gives its search, and what it may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEORADIUS, and whether it may store.
    Radius { stores: bool },
    /// GEORADIUSBYMEMBER.
    RadiusByMember { stores: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    fn may_store(self) -> bool {
        matches!(self, Self::Radius { stores: true } | Self::RadiusByMember { stores: true })
    }
}

/// A request as it is read.
struct Query<'a> {
    /// The middle; a member of a key that is missing has no position.
    centre: Option<Position>,
    by_member: bool,
    by_position: bool,
    shape: Option<Shape>,
    metres: f64,
    distances: bool,
    hashes: bool,
    positions: bool,
    any: bool,
    descending: Option<bool>,
    count: Option<usize>,
    target: Option<&'a [u8]>,
    store_distances: bool,
}

/// A length and its unit.
fn radius(length: &[u8], name: &[u8]) -> Result<(Shape, f64), Failure> {
    let radius = double(length).map_err(|_| Failure::from("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err("ERR radius cannot be negative".into());
    }
    Ok((Shape::Circle { radius }, unit(name)?))
}

fn rectangle(width: &[u8], height: &[u8], name: &[u8]) -> Result<(Shape, f64), Failure> {
    let width = double(width).map_err(|_| Failure::from("ERR need numeric width"))?;
    let height = double(height).map_err(|_| Failure::from("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err("ERR height or width cannot be negative".into());
    }
    Ok((Shape::Box { width, height }, unit(name)?))
}

fn centre_of(zset: Option<&Zset>, member: &[u8]) -> Result<Option<Position>, Failure> {
    let Some(zset) = zset else { return Ok(None) };
    let found = of_member(zset, member);
    found.map(Some).ok_or("ERR could not decode requested zset member".into())
}

impl<'a> Query<'a> {
    fn read(form: Form, arguments: &[&'a [u8]], zset: Option<&Zset>) -> Result<Self, Failure> {
        let mut query = Self {
            centre: None,
            by_member: false,
            by_position: false,
            shape: None,
            metres: 1.0,
            distances: false,
            hashes: false,
            positions: false,
            any: false,
            descending: None,
            count: None,
            target: None,
            store_distances: false,
        };
        let options = match form {
            Form::Radius { .. } => {
                query.centre = Some(position(arguments[2], arguments[3])?);
                query.set_shape(radius(arguments[4], arguments[5])?);
                &arguments[6..]
            }
            Form::RadiusByMember { .. } => {
                query.centre = centre_of(zset, arguments[2])?;
                // Without a key there is nothing that the radius could be about.
                if zset.is_some() {
                    query.set_shape(radius(arguments[3], arguments[4])?);
                }
                &arguments[5..]
            }
            Form::Search => &arguments[2..],
            Form::SearchStore => {
                query.target = Some(arguments[1]);
                &arguments[3..]
            }
        };
        query.options(form, options, zset)?;
        query.check(form, arguments[0])?;
        Ok(query)
    }

    fn set_shape(&mut self, (shape, metres): (Shape, f64)) {
        (self.shape, self.metres) = (Some(shape), metres);
    }

    fn options(&mut self, form: Form, mut words: &[&'a [u8]], zset: Option<&Zset>) -> Result<(), Failure> {
        let search = form.is_search();
        while let [word, rest @ ..] = words {
            words = match (word.to_ascii_uppercase().as_slice(), rest) {
                (b"WITHDIST", _) => {
                    self.distances = true;
                    rest
                }
                (b"WITHHASH", _) => {
                    self.hashes = true;
                    rest
                }
                (b"WITHCOORD", _) => {
                    self.positions = true;
                    rest
                }
                (b"ANY", _) => {
                    self.any = true;
                    rest
                }
                (b"ASC", _) => {
                    self.descending = Some(false);
                    rest
                }
                (b"DESC", _) => {
                    self.descending = Some(true);
                    rest
                }
                (b"COUNT", [count, rest @ ..]) => {
                    let count = usize::try_from(parse::integer(count)?).ok().filter(|count| *count > 0);
                    self.count = Some(count.ok_or(Failure::from("ERR COUNT must be > 0"))?);
                    rest
                }
                (name @ (b"STORE" | b"STOREDIST"), [target, rest @ ..]) if form.may_store() => {
                    (self.target, self.store_distances) = (Some(*target), name == b"STOREDIST");
                    rest
                }
                (b"FROMMEMBER", [member, rest @ ..]) if search && !self.by_position => {
                    self.centre = centre_of(zset, member)?;
                    self.by_member = true;
                    rest
                }
                (b"FROMLONLAT", [longitude, latitude, rest @ ..]) if search && !self.by_member => {
                    self.centre = Some(position(longitude, latitude)?);
                    self.by_position = true;
                    rest
                }
                (b"BYRADIUS", [length, name, rest @ ..])
                    if search && !matches!(self.shape, Some(Shape::Box { .. })) =>
                {
                    self.set_shape(radius(length, name)?);
                    rest
                }
                (b"BYBOX", [width, height, name, rest @ ..])
                    if search && !matches!(self.shape, Some(Shape::Circle { .. })) =>
                {
                    self.set_shape(rectangle(width, height, name)?);
                    rest
                }
                (b"STOREDIST", _) if form == Form::SearchStore => {
                    self.store_distances = true;
                    rest
                }
                _ => return Err(failure::SYNTAX),
            };
        }
        Ok(())
    }

    fn check(&self, form: Form, name: &[u8]) -> Result<(), Failure> {
        if self.target.is_some() && (self.distances || self.hashes || self.positions) {
            let what = if form.is_search() { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            let text = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
            return Err(Failure::new(format!("ERR {what} {text}")));
        }
        let exactly = |what: &str| {
            Failure::new([b"ERR exactly one of ", what.as_bytes(), b" can be specified for ", name].concat())
        };
        if form.is_search() && !(self.by_member || self.by_position) {
            return Err(exactly("FROMMEMBER or FROMLONLAT"));
        }
        if form.is_search() && self.shape.is_none() {
            return Err(exactly("BYRADIUS and BYBOX"));
        }
        if self.any && self.count.is_none() {
            return Err("ERR the ANY argument requires COUNT argument".into());
        }
        Ok(())
    }

    /// The places inside, in the order of the reply.
    fn find(&self, zset: &Zset) -> Vec<Found> {
        let Some((centre, shape)) = self.centre.zip(self.shape) else { return Vec::new() };
        let search = Search { centre, shape, metres: self.metres };
        let enough = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for (low, high) in search.ranges() {
            let start = zset.rank_where(|score, _| score < low);
            let end = zset.rank_where(|score, _| score < high);
            for (member, score) in zset.range(start, end, false) {
                if found.len() >= enough {
                    break;
                }
                let position = Position::of_score(score);
                if let Some(distance) = search.distance_inside(position) {
                    found.push(Found { member: member.to_vec(), score, position, distance });
                }
            }
        }
        // The nearest ones are wanted, if only some are.
        let descending = self.descending.or(self.count.filter(|_| !self.any).map(|_| false));
        if let Some(descending) = descending {
            found.sort_by(|a, b| {
                let order = a.distance.partial_cmp(&b.distance).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            });
        }
        found.truncate(self.count.unwrap_or(usize::MAX));
        found.iter_mut().for_each(|place| place.distance /= self.metres);
        found
    }
}

/// A place that was found; its distance is in metres at first, then in the unit that was asked for.
struct Found {
    member: Vec<u8>,
    score: f64,
    position: Position,
    distance: f64,
}

fn run(ctx: &mut Ctx<'_>, arguments: &[&[u8]], form: Form) -> Result<(), Failure> {
    let key = arguments[if form == Form::SearchStore { 2 } else { 1 }];
    let (zset, reply) = ctx.read_as::<Zset>(key)?;
    let query = Query::read(form, arguments, zset)?;
    let found = zset.map(|zset| query.find(zset)).unwrap_or_default();
    if let Some(target) = query.target {
        store_found(ctx, target, &found, &query, form);
        return Ok(());
    }
    reply.array(found.len());
    let options = usize::from(query.distances) + usize::from(query.hashes) + usize::from(query.positions);
    for place in &found {
        if options > 0 {
            reply.array(options + 1);
        }
        reply.bulk(&place.member);
        if query.distances {
            write_distance(reply, place.distance);
        }
        if query.hashes {
            reply.integer(to_integer(place.score));
        }
        if query.positions {
            write_position(reply, place.position);
        }
    }
    Ok(())
}

fn store_found(ctx: &mut Ctx<'_>, target: &[u8], found: &[Found], query: &Query<'_>, form: Form) {
    let limits = limits(&ctx.engine.config);
    let longest = found.iter().map(|place| place.member.len()).max().unwrap_or(0);
    let mut result = Zset::for_members(found.len(), longest, &limits);
    for place in found {
        let score = if query.store_distances { place.distance } else { place.score };
        result.insert(&place.member, score, &limits);
    }
    store_resolved(ctx, target, result, if form.is_search() { "geosearchstore" } else { "georadiusstore" });
    if !found.is_empty() {
        ctx.counts_as(found.len() as u64);
    }
}

/// GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS … | BYBOX …> [options]
pub fn geosearch(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, Form::Search)
}

/// GEOSEARCHSTORE destination source <FROMMEMBER … | FROMLONLAT …> <BYRADIUS … | BYBOX …> [options] [STOREDIST]
pub fn geosearchstore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, Form::SearchStore)
}

/// GEORADIUS key longitude latitude radius unit [options] [STORE key | STOREDIST key]
pub fn georadius(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, Form::Radius { stores: true })
}

/// The keys of GEORADIUS and GEORADIUSBYMEMBER where one that is stored is called like an option (`STOREDIST store`), so
/// that key specs, which look for words, find no key behind it.
pub fn find_keys(argv: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    let mut found = vec![KeyPosition { at: 1, access: Access::all(&[RO, ACCESS]) }];
    let mut at = 5;
    while at + 1 < argv.len() {
        if argv[at].eq_ignore_ascii_case(b"STORE") || argv[at].eq_ignore_ascii_case(b"STOREDIST") {
            at += 1;
            found.truncate(1);
            found.push(KeyPosition { at, access: Access::all(&[OW, UPDATE]) });
        }
        at += 1;
    }
    Some(found)
}

/// GEORADIUS_RO key longitude latitude radius unit [options]
pub fn georadius_ro(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, Form::Radius { stores: false })
}

/// GEORADIUSBYMEMBER key member radius unit [options] [STORE key | STOREDIST key]
pub fn georadiusbymember(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, Form::RadiusByMember { stores: true })
}

/// GEORADIUSBYMEMBER_RO key member radius unit [options]
pub fn georadiusbymember_ro(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, Form::RadiusByMember { stores: false })
}
