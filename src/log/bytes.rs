//! Little-endian fields at fixed places of a header, the same on every machine.

/// The 16-bit field at `at`; the caller's header is long enough.
pub(super) fn u16_at(raw: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([raw[at], raw[at + 1]])
}

/// The 32-bit field at `at`; the caller's header is long enough.
pub(super) fn u32_at(raw: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&raw[at..at + 4]);
    u32::from_le_bytes(field)
}

/// The 64-bit field at `at`; the caller's header is long enough.
pub(super) fn u64_at(raw: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&raw[at..at + 8]);
    u64::from_le_bytes(field)
}
