"""A browser without JavaScript, as far as sign-in needs one: a cookie jar, forms, and the headers that browsers send."""

import html
import re
import urllib.parse

from support.wire import request

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


class Browser:
    def __init__(self, gate, user_agent=FIREFOX, language="en"):
        self.gate = gate
        self.user_agent = user_agent
        self.language = language
        # (domain, host only, name) -> value
        self.jar = {}
        self.url = None
        self.response = None

    # Cookies

    def cookies_for(self, host):
        return {name: value for (domain, only, name), value in self.jar.items()
                if host == domain or (not only and host.endswith("." + domain))}

    def _keep(self, host, response):
        for line in response.all("set-cookie"):
            pair, *attributes = [part.strip() for part in line.split(";")]
            name, _, value = pair.partition("=")
            given = dict((part.partition("=")[0].lower(), part.partition("=")[2]) for part in attributes)
            domain = given.get("domain", "")
            assert not domain or host == domain or host.endswith("." + domain), line
            key = (domain or host, not domain, name)
            if given.get("max-age") == "0":
                self.jar.pop(key, None)
            else:
                self.jar[key] = value

    # Requests

    def send(self, method, url, headers=(), body=None, navigate=True, site="none"):
        """One request, no redirect followed."""
        parts = urllib.parse.urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = [("User-Agent", self.user_agent), ("Accept-Language", self.language)]
        cookies = self.cookies_for(parts.hostname)
        if cookies:
            sent.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        if navigate:
            sent += [("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate"),
                     ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", site)]
        response = request(self.gate.port, path, parts.netloc, method, sent + list(headers), body)
        self._keep(parts.hostname, response)
        self.url, self.response = url, response
        return response

    def follow(self, response, most=5):
        for _ in range(most):
            if response.status not in (301, 302, 303, 307, 308):
                return response
            self.allow_redirect(response)
            response = self.send("GET", urllib.parse.urljoin(self.url, response["Location"]))
        raise AssertionError(f"too many redirects, last to {self.url}")

    def allow_redirect(self, response):
        pass

    def open(self, url):
        return self.follow(self.send("GET", url))

    # Forms

    def form(self, action=None):
        """(action, fields) of the first form of the page that is shown, or of the one with that action."""
        page = self.response.body.decode()
        for tag, inner in re.findall(r"<form\b([^>]*)>(.*?)</form>", page, re.S):
            target = html.unescape(re.search(r'action="([^"]*)"', tag)[1])
            if action and action != target:
                continue
            fields = {}
            for attributes in re.findall(r"<input\b([^>]*)>", inner):
                given = dict(re.findall(r'([a-z-]+)="([^"]*)"', attributes))
                if "name" not in given:
                    continue
                if given.get("type") == "checkbox" and " checked" not in attributes:
                    continue
                fields[given["name"]] = html.unescape(given.get("value", ""))
            return urllib.parse.urljoin(self.url, target), fields
        raise AssertionError(f"no form {action} in {page}")

    def submit(self, action=None, follow=True, headers=(), site="same-origin", **values):
        target, fields = self.form(action)
        body = urllib.parse.urlencode(fields | values).encode()
        origin = urllib.parse.urlsplit(self.url)
        response = self.send(
            "POST", target, [("Content-Type", "application/x-www-form-urlencoded"),
                             ("Origin", f"{origin.scheme}://{origin.netloc}"), *headers], body, site=site)
        return self.follow(response) if follow else response

    @property
    def text(self):
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.response.body.decode())))
