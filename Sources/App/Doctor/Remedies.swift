/// What causes a fault in each proxy, and what to write instead: a table. A further proxy is a further list.
enum Remedies {
    static func remedy(for fault: Fault, in proxy: ProxyKind?) -> Remedy {
        let own: Remedy? =
            switch proxy {
            case .nginx: nginx(fault)
            case .traefik: traefik(fault)
            case .caddy: caddy(fault)
            case .envoy: envoy(fault)
            case .haproxy: haproxy(fault)
            case nil: nil
            }
        return own ?? Remedy(write: general(fault))
    }

    private static func general(_ fault: Fault) -> String {
        switch fault {
        case .unguarded: "Ask Gatehouse about every path and method of this host, with no exceptions beside it."
        case .describedByClient:
            "Let the proxy write every header that describes the request to the check endpoint, over the client's own."
        case .pathAmbiguous:
            "Describe and forward the path as the client sent it, without decoding, cleaning or rewriting it."
        case .identityForged, .identityMissing:
            "Set HEADER from Gatehouse's answer in every request to the app, over the client's own."
        case .identityAliased, .forwardingAliased: "Drop or refuse headers whose names hold underscores."
        case .identityDropped: "Do not let the client's Connection header decide what reaches the app."
        case .upgradeForwarded: "Forward Upgrade only where it is websocket, word for word."
        case .credentialLeaked:
            "Set Cookie, Authorization and X-API-Key from Gatehouse's answer, and drop Gatehouse-Key."
        case .forwardingForged: "Write HEADER yourself, over the client's own."
        case .otherHeaders: "Drop HEADER unless your app needs it from the client."
        case .openRedirect: "Build redirects from names that you have written down, not from the request."
        case .headerInjected: "Do not write a decoded path into a header."
        case .checkExposed: "Answer 404 to clients for /.auth/check/."
        }
    }

    private static func nginx(_ fault: Fault) -> Remedy? {
        switch fault {
        case .unguarded:
            Remedy(
                wrong: [
                    "auth_request off", "satisfy any", "limit_except", "location ~", "location ^~ !/.auth",
                    "location =",
                ], missingAt: ["location / {", "location /", "proxy_pass"],
                write: "auth_request /internal/gatehouse;   # in this location too, with the headers of the main one")
        case .describedByClient:
            Remedy(
                wrong: ["$http_x_original", "$http_x_forwarded_uri", "$http_x_forwarded_method"],
                missingAt: ["/.auth/check/nginx"],
                write: """
                    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
                    proxy_set_header X-Original-Method $request_method;
                    proxy_set_header X-Forwarded-For $remote_addr;
                    """)
        case .pathAmbiguous:
            Remedy(
                wrong: ["x-original-url $uri", "set $ $uri", "$document_uri", "rewrite "],
                missingAt: ["x-original-url", "/.auth/check/nginx"],
                write:
                    "proxy_set_header X-Original-URL $scheme://$http_host$request_uri;   # and proxy_pass without a path"
            )
        case .identityForged, .identityMissing:
            Remedy(
                wrong: ["proxy_set_header HEADER $http_"],
                missingAt: [
                    "auth_request_set $upstream_http_VARIABLE", "auth_request !auth_request_set", "proxy_pass",
                ],
                write: """
                    auth_request_set $gatehouse_VARIABLE $upstream_http_VARIABLE;
                    proxy_set_header HEADER $gatehouse_VARIABLE;   # beside proxy_pass, in the same location
                    """)
        case .identityAliased, .forwardingAliased:
            Remedy(
                wrong: ["underscores_in_headers on", "ignore_invalid_headers off"], missingAt: ["http {"],
                write: "underscores_in_headers off;\nignore_invalid_headers on;")
        case .identityDropped:
            Remedy(
                wrong: ["proxy_set_header connection $http_connection"], missingAt: ["proxy_pass"],
                write: "proxy_set_header Connection \"\";")
        case .upgradeForwarded:
            Remedy(
                wrong: ["proxy_set_header upgrade $http_upgrade"],
                missingAt: ["proxy_set_header upgrade", "proxy_pass"],
                write: """
                    map $http_upgrade $websocket { default ""; ~*^websocket$ websocket; }
                    map $http_upgrade $connection { default ""; ~*^websocket$ upgrade; }
                    proxy_set_header Upgrade $websocket;
                    proxy_set_header Connection $connection;
                    """)
        case .credentialLeaked:
            Remedy(
                wrong: ["proxy_set_header HEADER $http_"],
                missingAt: [
                    "auth_request_set $upstream_http_VARIABLE", "auth_request !auth_request_set", "proxy_pass",
                ],
                write: """
                    auth_request_set $gatehouse_VARIABLE $upstream_http_VARIABLE;
                    proxy_set_header HEADER $gatehouse_VARIABLE;   # Gatehouse-Key: ""
                    """)
        case .forwardingForged:
            Remedy(
                wrong: ["proxy_set_header HEADER $http_HEADER", "proxy_set_header HEADER $http_x"],
                missingAt: ["proxy_set_header host", "proxy_pass"],
                write: """
                    proxy_set_header X-Forwarded-For $remote_addr;
                    proxy_set_header X-Forwarded-Proto $scheme;
                    proxy_set_header X-Forwarded-Host $http_host;
                    """)
        case .otherHeaders:
            Remedy(
                wrong: ["x-forwarded-for $proxy_add_x_forwarded_for"], missingAt: ["proxy_pass"],
                write: "proxy_set_header HEADER \"\";")
        case .openRedirect:
            Remedy(
                wrong: ["return 30 $http_x_forwarded_host", "return 30 $uri", "rewrite redirect", "rewrite permanent"],
                missingAt: ["return 30"], write: "return 301 https://NAME$request_uri;   # NAME written out")
        case .headerInjected:
            Remedy(
                wrong: ["return 30 $uri", "return 30 $document_uri", "add_header $uri"], missingAt: ["return 30"],
                write: "return 301 https://NAME$request_uri;   # $uri is decoded: its line ends would be yours")
        case .checkExposed:
            Remedy(
                wrong: ["location /.auth/check"], missingAt: ["location ^~ /.auth/", "location /.auth", "server_name"],
                write: "location ^~ /.auth/check/ { return 404; }   # in every server block")
        }
    }

    private static func traefik(_ fault: Fault) -> Remedy? {
        switch fault {
        case .unguarded:
            Remedy(
                wrong: ["rule: pathprefix", "rule: path(", "rule: method", "rule: headers", "priority:"],
                missingAt: ["middlewares:", "rule:"], write: "middlewares: [gatehouse]   # on every router of this host"
            )
        case .describedByClient:
            Remedy(
                wrong: ["trustforwardheader: true", "insecure: true", "trustedips:"], missingAt: ["forwardauth:"],
                write: "trustForwardHeader: false   # and no forwardedHeaders.insecure on the entry point")
        case .pathAmbiguous:
            Remedy(
                wrong: ["sanitizepath: false", "stripprefix", "replacepath", "encodedcharacters"],
                missingAt: ["forwardauth:", "entrypoints:"], write: "sanitizePath: true")
        case .identityForged, .identityMissing:
            Remedy(missingAt: ["authresponseheaders", "forwardauth:"], write: "authResponseHeaders: [HEADER, …]")
        case .identityAliased, .forwardingAliased:
            Remedy(
                missingAt: ["middlewares:", "forwardauth:"],
                write:
                    "headers: { customRequestHeaders: { HEADER_WITH_UNDERSCORES: \"\" } }   # an empty value removes it"
            )
        case .credentialLeaked:
            Remedy(
                missingAt: ["authresponseheaders", "forwardauth:"],
                write: "authResponseHeaders: [HEADER, …]   # one that Gatehouse leaves out is removed")
        case .forwardingForged:
            Remedy(
                wrong: ["insecure: true", "trustedips:"], missingAt: ["entrypoints:"],
                write:
                    "forwardedHeaders: {}   # on the entry point: no insecure, no trustedIPs wider than your own proxies"
            )
        case .otherHeaders:
            Remedy(missingAt: ["middlewares:"], write: "headers: { customRequestHeaders: { HEADER: \"\" } }")
        case .openRedirect, .headerInjected:
            Remedy(
                wrong: ["redirectregex", "replacement:"], missingAt: ["middlewares:"],
                write: "redirectScheme: { scheme: https }   # in place of a pattern that copies the request")
        case .checkExposed:
            Remedy(
                wrong: ["/.auth"], missingAt: ["rule:"],
                write: "rule: Host(`HOST`) && PathPrefix(`/.auth/`) && !PathPrefix(`/.auth/check/`)")
        case .identityDropped, .upgradeForwarded: nil
        }
    }

    private static func caddy(_ fault: Fault) -> Remedy? {
        switch fault {
        case .unguarded:
            Remedy(
                wrong: [
                    "@ not path", "@ path", "handle / !/.auth", "handle_path !/.auth", "handle @", "route / !/.auth",
                    "forward_auth @",
                ],
                missingAt: ["forward_auth", "reverse_proxy"],
                write: "forward_auth GATEHOUSE { … }   # without a matcher, before every reverse_proxy to the app")
        case .describedByClient:
            Remedy(
                wrong: [
                    "trusted_proxies", "header_up x-forwarded-uri {header", "header_up x-forwarded-method {header",
                ],
                missingAt: ["forward_auth"],
                write:
                    "forward_auth GATEHOUSE { uri /.auth/check/caddy }   # and no trusted_proxies wider than your own")
        case .pathAmbiguous:
            Remedy(
                wrong: ["uri strip_prefix", "uri replace", "rewrite", "handle_path"], missingAt: ["forward_auth"],
                write:
                    "forward_auth GATEHOUSE { uri /.auth/check/caddy }   # behind every rewrite, none between it and the app"
            )
        case .identityForged, .identityMissing:
            Remedy(missingAt: ["copy_headers", "forward_auth"], write: "copy_headers HEADER …   # in forward_auth")
        case .identityAliased, .forwardingAliased:
            Remedy(
                missingAt: ["reverse_proxy !forward_auth"],
                write: "request_header -*_*   # before reverse_proxy: headers whose names hold underscores")
        case .credentialLeaked:
            Remedy(missingAt: ["copy_headers", "forward_auth"], write: "copy_headers HEADER …   # in forward_auth")
        case .forwardingForged:
            Remedy(
                wrong: ["trusted_proxies", "header_up HEADER {header", "header_up HEADER {http.request.header"],
                missingAt: ["reverse_proxy"], write: "header_up HEADER {remote_host}   # or no trusted_proxies")
        case .otherHeaders: Remedy(missingAt: ["reverse_proxy"], write: "request_header -HEADER")
        case .openRedirect, .headerInjected:
            Remedy(
                wrong: ["redir {header", "redir {http.request.header", "redir {"], missingAt: ["redir"],
                write: "redir https://NAME{uri}   # NAME written out")
        case .checkExposed:
            Remedy(
                wrong: ["handle /.auth", "path /.auth"], missingAt: ["reverse_proxy"],
                write: "handle /.auth/check/* { respond 404 }   # before /.auth/*")
        case .upgradeForwarded:
            Remedy(
                missingAt: ["reverse_proxy"],
                write:
                    "@other not header_regexp Upgrade (?i)^websocket$\nrequest_header @other -Upgrade"
            )
        case .identityDropped: nil
        }
    }

    private static func envoy(_ fault: Fault) -> Remedy? {
        switch fault {
        case .unguarded:
            Remedy(
                wrong: ["disabled: true", "failure_mode_allow: true", "extauthzperroute"],
                missingAt: ["ext_authz", "routes:"],
                write: "failure_mode_allow: false   # and no route with ext_authz disabled")
        case .describedByClient:
            Remedy(
                wrong: [
                    "exact: x-original", "exact: x-forwarded-uri", "prefix: x-", "path_prefix: /.auth/check/nginx",
                ],
                missingAt: ["allowed_headers", "ext_authz"],
                write:
                    "path_prefix: /.auth/check/envoy   # and allowed_headers without X-Original-* and X-Forwarded-{Uri,Method}"
            )
        case .pathAmbiguous:
            Remedy(
                wrong: [
                    "normalize_path: false", "unescape_and_forward", "merge_slashes: true", "prefix_rewrite",
                    "regex_rewrite",
                ],
                missingAt: ["http_connection_manager"],
                write: "normalize_path: true\npath_with_escaped_slashes_action: REJECT_REQUEST")
        case .identityForged, .identityMissing, .credentialLeaked:
            Remedy(
                missingAt: ["allowed_upstream_headers", "ext_authz"],
                write: "allowed_upstream_headers: { patterns: [ { exact: HEADER } ] }")
        case .identityAliased, .forwardingAliased:
            Remedy(
                wrong: ["headers_with_underscores_action: allow"],
                missingAt: ["common_http_protocol_options", "http_connection_manager"],
                write: "common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }")
        case .forwardingForged:
            Remedy(
                wrong: ["use_remote_address: false", "skip_xff_append: true"], missingAt: ["http_connection_manager"],
                write: "use_remote_address: true\nrequest_headers_to_remove: [HEADER]   # where your app reads it")
        case .otherHeaders: Remedy(missingAt: ["routes:"], write: "request_headers_to_remove: [HEADER]")
        case .openRedirect, .headerInjected:
            Remedy(
                wrong: ["host_redirect", "response_headers_to_add", "%req("], missingAt: ["redirect:"],
                write: "redirect: { https_redirect: true }")
        case .checkExposed:
            Remedy(
                wrong: ["prefix: /.auth/ !check", "prefix: \"/.auth\""], missingAt: ["routes:"],
                write: "- match: { prefix: /.auth/check/ }\n  direct_response: { status: 404 }   # before /.auth/")
        case .upgradeForwarded:
            Remedy(
                wrong: ["upgrade_type: h2"], missingAt: ["upgrade_configs", "http_connection_manager"],
                write: "upgrade_configs: [ { upgrade_type: websocket } ]")
        case .identityDropped: nil
        }
    }

    private static func haproxy(_ fault: Fault) -> Remedy? {
        switch fault {
        case .unguarded:
            Remedy(
                wrong: ["lua. path_end", "lua. path_sub", "lua. path_reg", "lua. method", "lua. unless"],
                missingAt: ["lua.", "http-request", "use_backend"],
                write: "http-request lua.gatehouse …   # for every path and method, and a deny for what it did not see")
        case .describedByClient:
            Remedy(
                wrong: ["set-header x-forwarded-uri %[req.hdr", "set-header x-forwarded-method %[req.hdr"],
                missingAt: ["lua."],
                write: """
                    http-request set-header X-Forwarded-Method %[method]
                    http-request set-header X-Forwarded-Host %[req.hdr(Host)]
                    http-request set-header X-Forwarded-Uri %[pathq]
                    """)
        case .pathAmbiguous:
            Remedy(
                wrong: ["normalize-uri", "set-path", "replace-path", "set-header x-forwarded-uri %[path]"],
                missingAt: ["lua."], write: "http-request set-header X-Forwarded-Uri %[pathq]")
        case .identityForged, .identityMissing, .credentialLeaked:
            Remedy(
                wrong: ["set-header HEADER", "add-header HEADER"],
                missingAt: ["lua.", "use_backend", "default_backend"],
                write: """
                    http-request lua.gatehouse URL …,HEADER   # and nothing behind it that sets HEADER
                    """)
        case .identityAliased, .forwardingAliased:
            Remedy(
                wrong: ["set-header VARIABLE", "add-header VARIABLE"], missingAt: ["lua.", "bind"],
                write: "http-request del-header _ -m sub   # headers whose names hold underscores")
        case .forwardingForged:
            Remedy(
                wrong: ["option forwardfor if-none", "set-header HEADER !src !ssl_fc", "add-header HEADER"],
                missingAt: ["option forwardfor", "lua.", "bind"],
                write: "http-request del-header HEADER   # and then what you know: %[src], %[req.hdr(Host)]")
        case .otherHeaders: Remedy(missingAt: ["bind"], write: "http-request del-header HEADER")
        case .openRedirect, .headerInjected:
            Remedy(
                wrong: ["redirect %[req.hdr(x-", "redirect %[path", "redirect %[url"], missingAt: ["redirect"],
                write: "http-request redirect scheme https code 301 unless { ssl_fc }")
        case .checkExposed:
            Remedy(
                wrong: ["use_backend path_beg /.auth"], missingAt: ["bind"],
                write: "http-request return status 404 if { path_beg /.auth/check/ }")
        case .upgradeForwarded:
            Remedy(
                missingAt: ["lua.", "use_backend", "bind"],
                write: "http-request del-header Upgrade unless { req.fhdr_cnt(Upgrade) 1 } "
                    + "{ req.fhdr(Upgrade) -m str -i websocket }")
        case .identityDropped: nil
        }
    }
}
