import JOSE
import Testing

@testable import Portal

@Suite struct EndpointTests {
    @Test(arguments: [
        ("/.auth/api/passkeys/login", ["POST"]), ("/.auth/api/passkeys/register", ["POST"]),
        ("/.auth/api/passkeys/pk_1", ["PATCH", "DELETE"]), ("/.auth/api/me", ["GET", "PATCH", "HEAD"]),
        ("/.auth/api/sessions", ["GET", "DELETE", "HEAD"]), ("/.auth/api/sessions/login", ["DELETE"]),
        ("/.auth/api/nothing", []), ("/.auth/api/passkeys/", []),
    ]) func methodsOfAPath(_ path: String, _ methods: [String]) {
        #expect(Endpoint.methods(of: path) == methods)
    }

    @Test func theDocumentIsJSONWhateverIsConfigured() throws {
        for needsRoutes in [true, false] {
            let text = OpenAPI.document(cookie: "x-portal", longestDays: 7, keysNeedRoutes: needsRoutes)
            let document = try JSONReader.parse(Array(text.utf8), limits: JSONLimits(bytes: 1 << 20, depth: 32))
            let schemas = try #require(document["components"]?["schemas"])
            let key = try #require(schemas["NewKey"])
            #expect(key["required"]?.strings == (needsRoutes ? ["name", "routes"] : ["name"]))
            #expect(key["properties"]?["expires_days"]?["maximum"]?.integer == 7)
            #expect(document["components"]?["securitySchemes"]?["session"]?["name"]?.equals("x-portal") == true)
            for path in try #require(document["paths"]?.members) {
                for method in try #require(path.value.members) {
                    #expect(Endpoint.methods(of: path.name).contains(method.name.uppercased()), "\(path.name)")
                }
            }
        }
    }
}
