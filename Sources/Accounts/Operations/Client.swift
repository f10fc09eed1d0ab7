public import Core

/// From where an operation is asked for: what is written into sessions, audit events and mails.
public struct Client: Sendable {
    /// The client's address; nil when it is not known.
    public var address: IPAddress?
    /// `User-Agent`, as it came.
    public var userAgent: String?
    /// What an API client calls its device; nil: made from the user agent.
    public var deviceName: String?
    /// What an earlier sign-in gave this browser to know it by (``SignedIn/deviceToken``).
    public var deviceToken: String?
    /// The request's id.
    public var requestID: String?
    /// In which language mails are written that this request causes.
    public var language: MailLanguage

    /// Whatever is not known stays nil.
    public init(
        address: IPAddress? = nil, userAgent: String? = nil, deviceName: String? = nil, deviceToken: String? = nil,
        requestID: String? = nil, language: MailLanguage = .english
    ) {
        self.address = address
        self.userAgent = userAgent
        self.deviceName = deviceName
        self.deviceToken = deviceToken
        self.requestID = requestID
        self.language = language
    }

    /// The network that counts as one place where failed sign-ins come from: /24, or /64 of IPv6.
    var addressClass: String { DenialGroups.addressClass(address) }

    /// The network whose sign-ins wait in one line: /24, or /48 of IPv6, since whoever has one has all that is in it.
    var site: String {
        guard let address else { return "unknown" }
        switch address.family {
        case .v4: return "v4 \(address.bits >> 8)"
        case .v6: return "v6 \(address.bits >> 80)"
        }
    }

    /// Names the device in words of ours only: what a stranger sends must not stand in a mail of ours, where a link in
    /// it would be believed.
    func occasion(at now: Timestamp) -> MailOccasion {
        MailOccasion(at: now, address: address, device: keptUserAgent.flatMap(DeviceName.recognized))
    }

    private static let longestUserAgent = 256

    /// The user agent as it is kept: bounded, and what is not seen replaced.
    var keptUserAgent: String? {
        guard let userAgent, !userAgent.isEmpty else { return nil }
        return VisibleText.masked(
            String(String.UnicodeScalarView(userAgent.unicodeScalars.prefix(Self.longestUserAgent))))
    }

    /// - Throws: `invalid` when the client's own name for its device is not all seen, or too long.
    func keptDeviceName() throws(AccountsError) -> String? {
        if let deviceName, !deviceName.isEmpty {
            return try validatedLabel(deviceName, what: "device name", maximumBytes: 64)
        }
        return keptUserAgent.map(DeviceName.describing)
    }

    /// The audit log's view: who, and from where.
    func actor(_ name: String, session: String? = nil) -> AuditActor {
        AuditActor(name, address: address, userAgent: keptUserAgent, requestID: requestID, session: session)
    }
}

/// A few words for a user agent, so that a person knows their devices again; no more than a hint.
enum DeviceName {
    // The first that is found counts: Edge and Opera also say Chrome, Chrome also says Safari.
    private static let browsers = [
        ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]
    private static let systems = [
        ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    ]

    static func describing(_ userAgent: String) -> String {
        recognized(userAgent) ?? String(userAgent.prefix(64))
    }

    /// Nil for what none of our words fits.
    static func recognized(_ userAgent: String) -> String? {
        let browser = browsers.first { userAgent.contains($0.0) }?.1
        let system = systems.first { userAgent.contains($0.0) }?.1
        switch (browser, system) {
        case (let browser?, let system?): return "\(browser) on \(system)"
        case (let name?, nil), (nil, let name?): return name
        case (nil, nil): return nil
        }
    }
}
