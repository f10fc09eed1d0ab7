import Core
import Testing

@Suite struct QueryValueTests {
    private let address = "https://app.example.com/a/b;c?x=y&z=%2F+é#\"'"

    @Test func inFull() {
        #expect(
            QueryValue.escaped(address.utf8, sparingly: false)
                == "https%3A%2F%2Fapp.example.com%2Fa%2Fb%3Bc%3Fx%3Dy%26z%3D%252F%2B%C3%A9%23%22%27")
    }

    @Test func sparingly() {
        #expect(
            QueryValue.escaped(address.utf8, sparingly: true)
                == "https://app.example.com/a/b;c?x=y%26z=%252F%2B%C3%A9%23%22%27")
    }

    /// Whatever the byte, nothing that ends a value, a line or a quoted attribute stays as it is.
    @Test func nothingThatEndsAValueStays() {
        let all = QueryValue.escaped((0...255).map { UInt8($0) }, sparingly: true)
        for bad in ["&", "#", "+", " ", "\"", "'", "<", ">", "\\", "\r", "\n", "\0"] { #expect(!all.contains(bad)) }
    }
}
