//! The list: in what the switch differs from Open vSwitch. `docs/behaviour.md` has the same rows with the reasons.

/// Which flows Open vSwitch has, of one set of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipeline {
    /// Those that the specification writes down.
    Spec,
    /// Those that Dragonflow's trunk, classifier and L2 applications install.
    Dragonflow,
    /// The same, with floods mended: the sender gets no copy, and each copy is of the untouched frame.
    Mended,
}

impl Pipeline {
    pub const ALL: [Self; 3] = [Self::Spec, Self::Dragonflow, Self::Mended];

    /// The differences to expect.
    pub fn differences(self) -> impl Iterator<Item = Difference> {
        Difference::ALL.into_iter().filter(move |difference| difference.pipelines().contains(&self))
    }
}

/// What Open vSwitch does with a frame, and the switch does not.
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

    /// Whose flows are to blame; where it is Open vSwitch itself, all of them.
    fn pipelines(self) -> &'static [Pipeline] {
        match self {
            Self::TagOverwritten | Self::NoHairpin => &[Pipeline::Spec],
            Self::TagLeaks | Self::SenderIsReceiver => &[Pipeline::Spec, Pipeline::Dragonflow],
            // The specification's flows put no tag in front of another.
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
