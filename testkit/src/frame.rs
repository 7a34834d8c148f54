//! Frames for tests on the real kernel, built without the packet code of the crate, which they check.

pub type Mac = [u8; 6];

pub const BROADCAST: Mac = [0xff; 6];

/// Local experimental `EtherType` 1 (IEEE Std 802): no protocol of any kernel answers it.
pub const TEST: u16 = 0x88b5;

/// Local experimental `EtherType` 2: marker frames of the testbed, which it does not pass to tests.
pub const MARKER: u16 = 0x88b6;

/// TPID of 802.1Q; [`STAG`] is that of 802.1ad.
pub const CTAG: u16 = 0x8100;
pub const STAG: u16 = 0x88a8;

/// Tag control information: priority, drop eligible, VID.
pub const fn tci(pcp: u16, dei: bool, vid: u16) -> u16 {
    pcp << 13 | (dei as u16) << 12 | vid
}

/// A frame under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub dst: Mac,
    pub src: Mac,
    /// Outermost first: TPID, TCI.
    pub tags: Vec<(u16, u16)>,
    pub ethertype: u16,
    pub payload: Vec<u8>,
}

impl Frame {
    /// An untagged frame of 64 bytes, in whose payload a shifted or missing byte shows.
    pub fn new(src: Mac, dst: Mac) -> Self {
        Self { dst, src, tags: vec![], ethertype: TEST, payload: (0..50).collect() }
    }

    /// The same frame with another 802.1Q tag as the outermost.
    pub fn tagged(&self, tci: u16) -> Self {
        self.behind(CTAG, tci)
    }

    /// The same frame with another tag as the outermost.
    pub fn behind(&self, tpid: u16, tci: u16) -> Self {
        let mut tagged = self.clone();
        tagged.tags.insert(0, (tpid, tci));
        tagged
    }

    /// The same frame with another payload.
    pub fn carrying(&self, payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), ..self.clone() }
    }

    /// Bytes on the wire, without FCS.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.dst, self.src].concat();
        for (tpid, tci) in &self.tags {
            bytes.extend(tpid.to_be_bytes());
            bytes.extend(tci.to_be_bytes());
        }
        bytes.extend(self.ethertype.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// One frame or several, so that a test can pass a single one without brackets.
pub trait Frames {
    fn as_slice(&self) -> &[Frame];
}

impl Frames for Frame {
    fn as_slice(&self) -> &[Frame] {
        std::slice::from_ref(self)
    }
}

impl<const N: usize> Frames for [Frame; N] {
    fn as_slice(&self) -> &[Frame] {
        self
    }
}

impl Frames for Vec<Frame> {
    fn as_slice(&self) -> &[Frame] {
        self
    }
}

/// The `EtherType` of `frame` behind its tags.
pub fn ethertype(frame: &[u8]) -> u16 {
    let mut at = 12;
    loop {
        match frame.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]])) {
            CTAG | STAG => at += 4,
            ethertype => return ethertype,
        }
    }
}

/// Bytes as two-digit hexadecimal numbers, for assertion messages.
pub fn hex(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
