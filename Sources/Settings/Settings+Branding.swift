public import Core

extension Settings {
    /// `branding`.
    public struct Branding: Sendable, Hashable {
        /// A picture as it was read.
        public struct Logo: Sendable, Hashable {
            /// What it is, by its first bytes: `image/png` and so on.
            public var type: String
            /// All of it. No secret; this type only keeps it out of what is printed.
            public var content: SecretBytes

            public static func == (left: Logo, right: Logo) -> Bool {
                left.type == right.type
                    && left.content.withUnsafeBytes(Array.init) == right.content.withUnsafeBytes(Array.init)
            }

            public func hash(into hasher: inout Hasher) { hasher.combine(type) }
        }

        /// A template in place of one of ours.
        public struct Template: Sendable, Hashable {
            /// Without `.mustache`.
            public var name: String
            /// All of it.
            public var text: String
        }

        /// `name`.
        public var name: String
        /// `name` is written, so that mails may use it too.
        public var isNamed: Bool
        /// `logo`; nil when there is none, or files were left alone.
        public var logo: Logo?
        /// `colour` as `#rrggbb`.
        public var colour: String?
        /// The files of `templates`, by name; none when files were left alone.
        public var templates: [Template]
        /// `languages`, at least one.
        public var languages: [String]
    }
}
