public import Core

/// Why bytes were not taken as HTTP/1.1 or as a target. Equality is on the code; a refusal never holds client bytes.
///
/// A client's request is answered with `status` and the connection closed; a refused upstream answer is a 502.
public struct Refusal: Error, Sendable, Equatable {
    /// What was wrong; the raw values are stable.
    public let code: Code

    /// The refusal with that code.
    public init(_ code: Code) { self.code = code }

    /// What was wrong.
    public enum Code: String, Sendable, CaseIterable {
        case malformedRequestLine = "malformed_request_line"
        case invalidMethod = "invalid_method"
        case methodRefused = "method_refused"
        case versionUnsupported = "version_unsupported"
        case bareCarriageReturn = "bare_carriage_return"
        case bareLineFeed = "bare_line_feed"
        case foldedLine = "folded_line"
        case spaceBeforeColon = "space_before_colon"
        case missingColon = "missing_colon"
        case invalidFieldName = "invalid_field_name"
        case controlByte = "control_byte"
        case headTooLarge = "head_too_large"
        case tooManyFields = "too_many_fields"
        case hostMissing = "host_missing"
        case hostRepeated = "host_repeated"
        case hostInvalid = "host_invalid"
        case authorityMismatch = "authority_mismatch"
        case lengthInvalid = "content_length_invalid"
        case lengthRepeated = "content_length_repeated"
        case codingInvalid = "transfer_encoding_invalid"
        case codingRepeated = "transfer_encoding_repeated"
        case codingInOldVersion = "transfer_encoding_in_http_1_0"
        case lengthAndCoding = "content_length_with_transfer_encoding"
        case expectationUnknown = "expectation_unknown"
        case targetTooLong = "target_too_long"
        case targetInvalid = "target_invalid"
        case targetNotASCII = "target_not_ascii"
        case fragment = "fragment_in_target"
        case dotSegment = "dot_segment"
        case rawBackslash = "backslash"
        case badEscape = "bad_escape"
        case doubleEscape = "double_escape"
        case encodedNull = "encoded_null"
        case encodedControl = "encoded_control_byte"
        case encodedSlash = "encoded_slash"
        case encodedBackslash = "encoded_backslash"
        case emptySegment = "empty_segment"
        case malformedStatusLine = "malformed_status_line"
        case bodyNotAllowed = "body_not_allowed"
        case chunkSizeInvalid = "chunk_size_invalid"
        case chunkExtensionInvalid = "chunk_extension_invalid"
        case chunkExtensionTooLong = "chunk_extension_too_long"
        case chunkEndMissing = "chunk_end_missing"
        case trailersTooLarge = "trailers_too_large"
    }

    /// The HTTP status to answer a client with.
    public var status: Int {
        switch code {
        case .methodRefused: 405
        case .targetTooLong: 414
        case .expectationUnknown: 417
        case .headTooLarge, .tooManyFields: 431
        case .versionUnsupported: 505
        default: 400
        }
    }

    /// The reason that log, metric and audit name; nil for bytes that are no request at all.
    public var reason: Reason? {
        switch code {
        case .methodRefused: .methodRefused
        case .targetTooLong, .headTooLarge, .tooManyFields, .trailersTooLarge: .tooLarge
        case .targetInvalid, .targetNotASCII, .fragment, .dotSegment, .rawBackslash, .badEscape, .doubleEscape,
            .encodedNull, .encodedControl, .encodedSlash, .encodedBackslash, .emptySegment:
            .pathRefused
        default: nil
        }
    }

    /// The entry of a route's `keep_in_path` that would let this path through, for the log.
    public var liftedBy: String? {
        switch code {
        case .encodedSlash, .encodedBackslash, .emptySegment: code.rawValue
        default: nil
        }
    }
}

extension Refusal: CustomStringConvertible {
    /// The code, and the switch that lifts it where there is one.
    public var description: String {
        liftedBy.map { "\(code.rawValue) (keep_in_path: [\($0)] on the route lets it through)" } ?? code.rawValue
    }
}
