//! The list of differences between the switch and Open vSwitch. `docs/behaviour.md` has the same rows with
//! the reasons.

/// The flows of Open vSwitch for a set of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipeline {
    /// The flows in Dragonflow's specification.
    Spec,
    /// The flows that Dragonflow's trunk, classifier and L2 applications install.
    Dragonflow,
    /// The same with repaired floods: the sender gets no copy, and each copy is of the unchanged frame.
    Mended,
}

impl Pipeline {
    pub const ALL: [Self; 3] = [Self::Spec, Self::Dragonflow, Self::Mended];

    /// The differences to expect.
    pub fn differences(self) -> impl Iterator<Item = Difference> {
        Difference::ALL.into_iter().filter(move |difference| difference.pipelines().contains(&self))
    }
}

/// A deviation of Open vSwitch from the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    ServiceTagSelects,
    CutTagIsPayload,
    TwoTagsSeen,
    PriorityLost,
    TagOverwritten,
    TagLeaks,
    SenderIsReceiver,
    NoHairpin,
    DisguiseDelivered,
    ChecksumLeftPartial,
    InvalidSourceForwarded,
    ReservedFlooded,
}

impl Difference {
    pub const ALL: [Self; 12] = [
        Self::ServiceTagSelects,
        Self::CutTagIsPayload,
        Self::TwoTagsSeen,
        Self::PriorityLost,
        Self::TagOverwritten,
        Self::TagLeaks,
        Self::SenderIsReceiver,
        Self::NoHairpin,
        Self::DisguiseDelivered,
        Self::ChecksumLeftPartial,
        Self::InvalidSourceForwarded,
        Self::ReservedFlooded,
    ];

    /// The flows that cause it; all of them if Open vSwitch itself does.
    fn pipelines(self) -> &'static [Pipeline] {
        match self {
            Self::TagOverwritten | Self::NoHairpin => &[Pipeline::Spec],
            Self::TagLeaks | Self::SenderIsReceiver => &[Pipeline::Spec, Pipeline::Dragonflow],
            // The flows of the specification push no tag in front of another.
            Self::TwoTagsSeen => &[Pipeline::Dragonflow, Pipeline::Mended],
            Self::ServiceTagSelects
            | Self::CutTagIsPayload
            | Self::PriorityLost
            | Self::DisguiseDelivered
            | Self::ChecksumLeftPartial
            | Self::InvalidSourceForwarded
            | Self::ReservedFlooded => &Pipeline::ALL,
        }
    }
}
