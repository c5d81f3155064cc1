//! A large hash: a hash table of fields with their values, and the expiry times of those that have one, in order.
//!
//! `hash.rs` calls this. What always holds: `deadlines` has exactly the expiry times that are in the fields.

use super::deadlines::Deadlines;
use super::hash::NewExpiry;
use super::member::Field;
use super::table::Table;

/// See the module.
#[derive(Clone)]
pub(super) struct FieldTable {
    pub(super) fields: Table<Field>,
    pub(super) deadlines: Deadlines,
}

impl FieldTable {
    pub(super) fn new() -> Self {
        Self { fields: Table::new(), deadlines: Deadlines::default() }
    }

    pub(super) fn find(&self, field: &[u8]) -> Option<&Field> {
        self.fields.find(super::hash(field), field)
    }

    /// Sets a field; whether it was not there.
    pub(super) fn set(&mut self, field: &[u8], value: &[u8], expiry: NewExpiry) -> bool {
        let hash = super::hash(field);
        let Some(found) = self.fields.find_mut(hash, field) else {
            let expiry = expiry.over(None);
            self.fields.insert(hash, Field::new(field, value, expiry));
            self.deadlines.change(hash, None, expiry);
            return true;
        };
        let before = found.expiry();
        let after = expiry.over(before);
        found.set_expiry(after);
        found.set_value(value);
        self.deadlines.change(hash, before, after);
        false
    }

    /// Sets or removes the expiry time of a field; whether the field is there.
    pub(super) fn set_expiry(&mut self, field: &[u8], expiry: Option<i64>) -> bool {
        let hash = super::hash(field);
        let Some(found) = self.fields.find_mut(hash, field) else { return false };
        let before = found.expiry();
        found.set_expiry(expiry);
        self.deadlines.change(hash, before, expiry);
        true
    }

    /// Takes a field out; whether it was there.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let hash = super::hash(field);
        let Some(removed) = self.fields.remove(hash, field) else { return false };
        self.deadlines.change(hash, removed.expiry(), None);
        true
    }

    /// Takes out fields that have expired, up to `most`; answers them.
    pub(super) fn remove_expired(&mut self, now_ms: i64, most: usize) -> Vec<Vec<u8>> {
        let mut removed = Vec::new();
        while removed.len() < most
            && let Some((at_ms, hash)) = self.deadlines.first().filter(|(at_ms, _)| *at_ms <= now_ms)
        {
            let is_it = |field: &Field| field.expiry() == Some(at_ms) && super::hash(field.parts().0) == hash;
            let field = self.fields.remove_by(hash, is_it).expect("a deadline is that of a field");
            self.deadlines.change(hash, Some(at_ms), None);
            removed.push(field.parts().0.to_vec());
        }
        removed
    }
}
