internal import Core
internal import Glibc

/// The password that a command is given: the first line of standard input.
enum PasswordInput {
    /// More than any password has (``PasswordPolicy``), so that a longer line is still told from a good one.
    private static let maximumBytes = 16 * 1024

    /// At a terminal it is asked for, unseen and twice; nothing but the line is read of a pipe or file.
    ///
    /// - Throws: ``CommandFailure`` when the two differ, when Ctrl-C ends it, or when nothing can be read.
    static func read() throws(CommandFailure) -> SecretBytes {
        var usual = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &usual) == 0 else {
            return SecretBytes(copying: try line().bytes)
        }
        let first = try typed("Password: ", usual)
        let second = try typed("The same again: ", usual)
        guard first == second else { throw CommandFailure(.failed, "the two are not the same; nothing was changed") }
        return SecretBytes(copying: first)
    }

    private static let interrupt: UInt8 = 3

    private static func typed(_ prompt: String, _ usual: termios) throws(CommandFailure) -> [UInt8] {
        var unseen = usual
        // A signal would leave the terminal without an echo, so Ctrl-C is a character here, and ends the line.
        unseen.c_lflag &= ~tcflag_t(ECHO | ISIG)
        withUnsafeMutableBytes(of: &unseen.c_cc) { $0[Int(VEOL)] = interrupt }
        var usual = usual
        Output.standardError(prompt)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) == 0 else {
            throw CommandFailure(.failed, "the terminal shows what is typed; give the password by a pipe")
        }
        defer {
            _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual)
            Output.standardError("\n")
        }
        let (bytes, end) = try line(endingAt: interrupt)
        guard end != interrupt else { throw CommandFailure(.failed, "nothing was changed") }
        return bytes
    }

    /// Up to a line feed, a carriage return or `other`, which is not in it.
    private static func line(
        endingAt other: UInt8? = nil
    ) throws(CommandFailure) -> (bytes: [UInt8], end: UInt8?) {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count < maximumBytes {
            let count = Glibc.read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CommandFailure(.failed, "cannot read standard input: \(String(cString: strerror(errno)))")
            }
            if count == 0 { return (bytes, nil) }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") || byte == other { return (bytes, byte) }
            bytes.append(byte)
        }
        return (bytes, nil)
    }
}
