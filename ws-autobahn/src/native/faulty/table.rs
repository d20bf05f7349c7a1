//! Which cases fail because of which fault.

use super::Fault::{self, *};

/// Faults with the cases that each of them fails, in both roles. Ranges are written as in `expectations.txt`.
pub(super) const TABLE: &[(Fault, &[&str])] = &[
    (
        CorruptsEchoes,
        &[
            "1.1.2-8",
            "1.2.2-8",
            "3.2-4",
            "4.1.3-5",
            "4.2.3-5",
            "5.3-8",
            "5.15",
            "5.19-20",
            "6.1.3",
            "6.2.1-4",
            "6.5.1-5",
            "6.6.2",
            "6.6.5",
            "6.6.7",
            "6.6.9",
            "6.6.11",
            "6.7.1-4",
            "6.9.1-4",
            "6.11.1-4",
            "6.22.1-34",
            "6.23.1-7",
            "7.1.1",
            "9.1.*",
            "9.2.*",
            "9.3.*",
            "9.4.*",
            "9.5.*",
            "9.6.*",
            "9.7.2-6",
            "9.8.2-6",
            "10.1.1",
            "12.*",
            "13.*",
        ],
    ),
    (SwapsKinds, &["1.*", "5.3-8", "6.1.1-3", "6.2.1-4", "6.5.1-5", "7.1.1", "9.7.*", "9.8.*", "10.1.1"]),
    (EchoesTwice, &["1.*", "3.2-4", "4.1.3-5", "5.15", "9.7.*", "9.8.*"]),
    (DropsEmptyMessages, &["1.1.1", "1.2.1", "6.1.1-2", "9.7.1", "9.8.1"]),
    (
        CutsLongMessages,
        &["1.1.7-8", "1.2.7-8", "9.1.1", "9.2.1", "9.3.5", "9.4.5", "9.5.6", "9.6.6", "10.1.1", "12.1.9-10"],
    ),
    (
        KeepsTheLastFragment,
        &[
            "5.3-8",
            "5.15",
            "5.19-20",
            "6.1.3",
            "6.2.2-4",
            "9.3.5",
            "9.4.5",
            "10.1.1",
            "12.1.11-17",
            "12.5.11-18",
        ],
    ),
    (
        NeedsWholeFrames,
        &["1.1.8", "1.2.8", "2.6", "2.11", "3.4", "4.1.5", "4.2.5", "5.5", "5.8", "9.5.1", "9.6.1"],
    ),
    (NeverPongs, &["2.1-4", "2.6", "2.9-11", "5.6-8", "5.19-20"]),
    (PongsEmpty, &["2.2-4", "2.6", "2.9-11", "5.6-8", "5.19-20"]),
    (PongsLate, &["5.6-8", "5.19-20"]),
    (AnswersPongs, &["2.7-9"]),
    (TakesLongControlFrames, &["2.5", "7.3.6"]),
    (TakesControlFragments, &["5.1-2"]),
    (TakesReservedBits, &["3.1-6"]),
    (PassesReservedOpcodes, &["4.1.1-5", "4.2.1-5"]),
    (PassesStrayContinuations, &["5.9-17"]),
    (TakesMessagesInside, &["5.18"]),
    (LosesEchoesWhenFailing, &["3.2-4", "4.1.3-5", "4.2.3-5", "5.15"]),
    (
        TakesAnyText,
        &[
            "6.3.1-2",
            "6.4.1-4",
            "6.6.1",
            "6.6.3-4",
            "6.6.6",
            "6.6.8",
            "6.6.10",
            "6.8.1-2",
            "6.10.1-3",
            "6.11.5",
            "6.12.1-8",
            "6.13.1-5",
            "6.14.1-10",
            "6.15.1",
            "6.16.1-3",
            "6.17.1-5",
            "6.18.1-5",
            "6.19.1-5",
            "6.20.1-7",
            "6.21.1-8",
        ],
    ),
    (ChecksTextAtTheEnd, &["6.4.1-4"]),
    (
        FailsAsIfAllWereWell,
        &["2.5", "3.*", "4.*", "5.1-2", "5.9-18", "6.3.*", "6.4.*", "6.21.*", "7.3.2", "7.9.*"],
    ),
    (
        NeverCloses,
        &["1.*", "2.7-8", "7.1.1-5", "7.3.1", "7.3.3-5", "7.7.*", "9.7.1", "10.1.1", "12.1.1", "13.1.1"],
    ),
    (
        DropsInsteadOfClosing,
        &["1.*", "2.1", "6.5.1", "7.1.1-5", "7.3.1", "7.3.3-5", "7.7.*", "9.7.1", "12.1.1"],
    ),
    (ClosesWithAnotherCode, &["1.1.1", "2.1", "7.1.1-5", "7.3.1", "7.3.3-5", "7.7.*", "9.8.1"]),
    (GoesOnAfterClose, &["7.1.3-5"]),
    (TakesAnyCode, &["7.9.*"]),
    (TakesOneByteCloses, &["7.3.2"]),
    (TakesAnyReason, &["7.5.1"]),
    (ClosesAtOnce, &["1.*", "2.1-4", "5.3-8", "6.4.*", "6.5.*", "9.7.*", "10.1.1", "12.1.*"]),
    (NoDeflate, &["12.*", "13.*"]),
    (ForgetsTheWindow, &["12.1.*", "12.2.*", "12.3.*", "12.4.*", "12.5.6-18", "13.1.*", "13.3.*", "13.4.*"]),
    (KeepsTheWindow, &["13.2.2-18", "13.5.2-18", "13.6.2-18", "13.7.2-18"]),
];

/// Faults of a server only.
pub(super) const SERVER_TABLE: &[(Fault, &[&str])] = &[(
    LeavesTcpOpen,
    &["1.*", "2.*", "3.*", "4.*", "5.*", "6.2.1", "7.1.1-5", "7.3.*", "7.5.1", "7.7.*", "7.9.*", "9.7.1"],
)];

/// Faults because of which all cases fail, except those that cannot fail.
pub(super) const HOPELESS: &[Fault] = &[AnswersNonsense, Hangs];

/// Cases that no fault can fail, because RFC 6455 and Autobahn leave open what a peer does.
pub(super) const OPEN: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];
