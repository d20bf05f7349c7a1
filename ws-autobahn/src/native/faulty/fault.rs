//! What a broken peer does wrong.

/// What a broken peer does wrong; otherwise it is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Faultless,
    /// Changes the last byte of each echo.
    CorruptsEchoes,
    /// Sends text back as binary, and binary as text.
    SwapsKinds,
    /// Sends each message back twice.
    EchoesTwice,
    /// Does not send empty messages back.
    DropsEmptyMessages,
    /// Sends no more than 65535 bytes of a message back.
    CutsLongMessages,
    /// Sends the last fragment back for the message.
    KeepsTheLastFragment,
    /// Loses the part of a frame that a read ends with.
    NeedsWholeFrames,
    /// Does not answer Pings.
    NeverPongs,
    /// Answers Pings without their payload.
    PongsEmpty,
    /// Answers a Ping when the message that it came within is complete.
    PongsLate,
    /// Answers Pongs with Pongs.
    AnswersPongs,
    /// Takes control frames of more than 125 bytes.
    TakesLongControlFrames,
    /// Takes control frames in fragments.
    TakesControlFragments,
    /// Takes all frames whatever their reserved bits.
    TakesReservedBits,
    /// Passes over frames with reserved opcodes.
    PassesReservedOpcodes,
    /// Passes over continuations of nothing.
    PassesStrayContinuations,
    /// Takes a new message inside another as its continuation.
    TakesMessagesInside,
    /// Does not send what was echoed before a fault.
    LosesEchoesWhenFailing,
    /// Takes text that is not UTF-8.
    TakesAnyText,
    /// Notices that text is not UTF-8 when the message is complete.
    ChecksTextAtTheEnd,
    /// Fails the connection with 1000.
    FailsAsIfAllWereWell,
    /// Does not answer a Close.
    NeverCloses,
    /// Ends the TCP connection instead of answering a Close.
    DropsInsteadOfClosing,
    /// Answers a Close with a code that was not sent.
    ClosesWithAnotherCode,
    /// Answers what follows a Close, and then the Close.
    GoesOnAfterClose,
    /// Answers a Close with any code with the same.
    TakesAnyCode,
    /// Takes a Close with a body of one byte.
    TakesOneByteCloses,
    /// Takes a Close with a reason that is not UTF-8.
    TakesAnyReason,
    /// Closes at once when the connection is open.
    ClosesAtOnce,
    /// Does not end the TCP connection, though it is the server.
    LeavesTcpOpen,
    /// Answers the opening handshake with nonsense.
    AnswersNonsense,
    /// Never answers the opening handshake.
    Hangs,
    /// Does not know permessage-deflate.
    NoDeflate,
    /// Forgets the window of the other side after each message, though it must not.
    ForgetsTheWindow,
    /// Keeps its own window from message to message, though it must not.
    KeepsTheWindow,
}
