//! The faults of a broken peer.

/// What a broken peer does wrong; apart from that it is correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Faultless,
    /// Changes the last byte of each echo.
    CorruptsEchoes,
    /// Echoes text as binary, and binary as text.
    SwapsKinds,
    /// Echoes each message twice.
    EchoesTwice,
    /// Does not echo empty messages.
    DropsEmptyMessages,
    /// Echoes at most 65535 bytes of a message.
    CutsLongMessages,
    /// Echoes the last fragment instead of the message.
    KeepsTheLastFragment,
    /// Loses an incomplete frame at the end of a read.
    NeedsWholeFrames,
    /// Does not answer Pings.
    NeverPongs,
    /// Answers Pings without their payload.
    PongsEmpty,
    /// Answers a Ping between fragments only when the message is complete.
    PongsLate,
    /// Answers Pongs with Pongs.
    AnswersPongs,
    /// Accepts control frames of more than 125 bytes.
    TakesLongControlFrames,
    /// Accepts fragmented control frames.
    TakesControlFragments,
    /// Accepts all frames whatever their reserved bits.
    TakesReservedBits,
    /// Ignores frames with reserved opcodes.
    PassesReservedOpcodes,
    /// Ignores continuation frames outside a message.
    PassesStrayContinuations,
    /// Treats a new message inside another as its continuation.
    TakesMessagesInside,
    /// Does not send the echoes of messages before a protocol error.
    LosesEchoesWhenFailing,
    /// Accepts text that is not UTF-8.
    TakesAnyText,
    /// Detects invalid UTF-8 only when the message is complete.
    ChecksTextAtTheEnd,
    /// Fails the connection with 1000.
    FailsAsIfAllWereWell,
    /// Does not answer a Close.
    NeverCloses,
    /// Ends the TCP connection instead of answering a Close.
    DropsInsteadOfClosing,
    /// Answers a Close with a code that was not sent.
    ClosesWithAnotherCode,
    /// Answers what follows a Close, then the Close.
    GoesOnAfterClose,
    /// Answers a Close with the same code, even an invalid one.
    TakesAnyCode,
    /// Accepts a Close with a body of one byte.
    TakesOneByteCloses,
    /// Accepts a Close with a reason that is not UTF-8.
    TakesAnyReason,
    /// Closes the connection as soon as it is open.
    ClosesAtOnce,
    /// As a server, does not end the TCP connection.
    LeavesTcpOpen,
    /// Answers the opening handshake with invalid bytes.
    AnswersNonsense,
    /// Never answers the opening handshake.
    Hangs,
    /// Does not support permessage-deflate.
    NoDeflate,
    /// Discards the window for received messages after each message, which breaks context takeover.
    ForgetsTheWindow,
    /// Keeps its window from message to message although no context takeover was agreed.
    KeepsTheWindow,
}
