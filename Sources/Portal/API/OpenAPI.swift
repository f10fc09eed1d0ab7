internal import Core

/// The document that describes the API (OpenAPI 3.1). A test holds its paths against the endpoints that there are.
enum OpenAPI {
    static let answer = Answer(
        status: 200,
        headers: [
            ("Content-Type", "application/json"), ("Cache-Control", "public, max-age=300"),
            ("X-Content-Type-Options", "nosniff"),
        ], body: Array(document.utf8))

    /// The description of each operation, under its path and method.
    static let document = """
        {"openapi":"3.1.0","info":{"title":"Gatehouse","version":"1","summary":"Sign-in and account of Gatehouse"},
        "servers":[{"url":"/"}],
        "security":[{"token":[]},{"session":[]}],
        "paths":{
        "/.auth/api/login":{"post":{"operationId":"login","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Login"}}}},"responses":{"200":{"$ref":"#/components/responses/Tokens"},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/token/refresh":{"post":{"operationId":"refresh","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Refresh"}}}},"responses":{"200":{"$ref":"#/components/responses/Tokens"},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/logout":{"post":{"operationId":"logout","responses":{"204":{"description":"The session is over."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/reauthenticate":{"post":{"operationId":"reauthenticate","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Password"}}}},"responses":{"204":{"description":"Proved once more."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/me":{"get":{"operationId":"me","responses":{"200":{"$ref":"#/components/responses/Me"},"default":{"$ref":"#/components/responses/Problem"}}},"patch":{"operationId":"rename","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Name"}}}},"responses":{"200":{"$ref":"#/components/responses/Me"},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/sessions":{"get":{"operationId":"sessions","responses":{"200":{"description":"Newest first.","content":{"application/json":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/Session"}}}}},"default":{"$ref":"#/components/responses/Problem"}}},"delete":{"operationId":"revokeOtherSessions","responses":{"204":{"description":"All others are over."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/sessions/{id}":{"delete":{"operationId":"revokeSession","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"204":{"description":"It is over."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/password/change":{"post":{"operationId":"changePassword","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/PasswordChange"}}}},"responses":{"204":{"description":"Changed; all other sessions are over."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/api-keys":{"get":{"operationId":"apiKeys","responses":{"200":{"description":"Those that can be used, newest first.","content":{"application/json":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/Key"}}}}},"default":{"$ref":"#/components/responses/Problem"}}},"post":{"operationId":"createAPIKey","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/NewKey"}}}},"responses":{"201":{"$ref":"#/components/responses/NewKey"},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/api-keys/{id}":{"delete":{"operationId":"revokeAPIKey","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"204":{"description":"It is revoked."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/api-keys/{id}/rotate":{"post":{"operationId":"rotateAPIKey","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"201":{"$ref":"#/components/responses/NewKey"},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/password/forgot":{"post":{"operationId":"forgotPassword","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Email"}}}},"responses":{"202":{"description":"The same for all addresses."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/password/reset":{"post":{"operationId":"resetPassword","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Reset"}}}},"responses":{"204":{"description":"Set; all sessions are over."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/register":{"post":{"operationId":"register","summary":"Mails a link by which the account is made; email_not_verified until then.","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Register"}}}},"responses":{"202":{"description":"The same for all addresses."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/email/verify":{"post":{"operationId":"verifyEmail","summary":"Confirms an address by the token of a mail; makes the account of a registration.","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Verify"}}}},"responses":{"204":{"description":"Confirmed."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/magic-link/request":{"post":{"operationId":"requestMagicLink","summary":"Mails a link whose token is good for magic-link/verify, and on no page.","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Email"}}}},"responses":{"202":{"description":"The same for all addresses."},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/api/magic-link/verify":{"post":{"operationId":"verifyMagicLink","summary":"Signs in by the token of a mail; used up by a complete sign-in only.","security":[],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/MagicLink"}}}},"responses":{"200":{"$ref":"#/components/responses/Tokens"},"default":{"$ref":"#/components/responses/Problem"}}}},
        "/.auth/openapi.json":{"get":{"operationId":"openapi","security":[],"responses":{"200":{"description":"This document.","content":{"application/json":{}}},"default":{"$ref":"#/components/responses/Problem"}}}}
        },
        "components":{
        "securitySchemes":{"token":{"type":"http","scheme":"bearer","bearerFormat":"JWT"},"session":{"type":"apiKey","in":"cookie","name":"__Host-gatehouse-portal"}},
        "responses":{
        "Problem":{"description":"What went wrong (RFC 9457).","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}},
        "Tokens":{"description":"Signed in.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Tokens"}}}},
        "NewKey":{"description":"The key is shown this once.","content":{"application/json":{"schema":{"type":"object","required":["id","api_key","key_prefix"],"properties":{"id":{"type":"string"},"api_key":{"type":"string"},"key_prefix":{"type":"string"}}}}}},
        "Me":{"description":"Whoever asks.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Me"}}}}
        },
        "schemas":{
        "Problem":{"type":"object","required":["type","title","status","detail","code"],"properties":{"type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},"code":{"type":"string"},"request_id":{"type":"string"}}},
        "Login":{"type":"object","required":["email","password"],"properties":{"email":{"type":"string","description":"Or the user name."},"password":{"type":"string"},"device_name":{"type":"string"}}},
        "Refresh":{"type":"object","required":["refresh_token"],"properties":{"refresh_token":{"type":"string"}}},
        "Password":{"type":"object","required":["password"],"properties":{"password":{"type":"string"}}},
        "PasswordChange":{"type":"object","required":["current_password","password"],"properties":{"current_password":{"type":"string"},"password":{"type":"string"}}},
        "NewKey":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"scopes":{"type":"array","items":{"type":"string"}},"routes":{"type":"array","items":{"type":"string"}},"networks":{"type":"array","items":{"type":"string"}},"expires_days":{"type":"integer","minimum":1}}},
        "Key":{"type":"object","required":["id","name","key_prefix","scopes","routes","last_used_at","expires_at","created_at"],"properties":{"id":{"type":"string"},"name":{"type":"string"},"key_prefix":{"type":"string"},"scopes":{"type":["array","null"],"items":{"type":"string"}},"routes":{"type":["array","null"],"items":{"type":"string"}},"last_used_at":{"type":["string","null"],"format":"date-time"},"expires_at":{"type":"string","format":"date-time"},"created_at":{"type":"string","format":"date-time"}}},
        "Email":{"type":"object","required":["email"],"properties":{"email":{"type":"string","format":"email"}}},
        "Reset":{"type":"object","required":["token","password"],"properties":{"token":{"type":"string"},"password":{"type":"string"}}},
        "Register":{"type":"object","required":["email","password"],"properties":{"email":{"type":"string","format":"email"},"password":{"type":"string"},"name":{"type":["string","null"]}}},
        "Verify":{"type":"object","required":["token"],"properties":{"token":{"type":"string"},"password":{"type":["string","null"],"description":"Of the account, instead of the one that was registered with."},"name":{"type":["string","null"]}}},
        "MagicLink":{"type":"object","required":["token"],"properties":{"token":{"type":"string"},"device_name":{"type":["string","null"]}}},
        "Name":{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}},
        "Tokens":{"type":"object","required":["access_token","token_type","expires_in","refresh_token","session_id"],"properties":{"access_token":{"type":"string"},"token_type":{"const":"bearer"},"expires_in":{"type":"integer"},"refresh_token":{"type":"string"},"session_id":{"type":"string"}}},
        "Me":{"type":"object","required":["id","email","email_verified","username","name","groups","factors"],"properties":{"id":{"type":"string"},"email":{"type":["string","null"]},"email_verified":{"type":"boolean"},"username":{"type":"string"},"name":{"type":"string"},"groups":{"type":"array","items":{"type":"string"}},"factors":{"type":"integer"}}},
        "Session":{"type":"object","required":["id","device_name","ip_address","user_agent","created_at","last_activity","is_current"],"properties":{"id":{"type":"string"},"device_name":{"type":["string","null"]},"ip_address":{"type":["string","null"]},"user_agent":{"type":["string","null"]},"created_at":{"type":"string","format":"date-time"},"last_activity":{"type":"string","format":"date-time"},"is_current":{"type":"boolean"}}}
        }}}

        """
}
