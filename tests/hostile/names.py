"""The table of hostile names: more than a thousand ways to leave a folder, to hide in it, or to mean another file.

Each row is (label, JSON text of the name as bytes, path as bytes or None when the text is no name at all). Rules of Linux,
macOS and Windows alike; {OUT} stands for a folder beside the target, {N} for a word that is searched for afterwards.
"""
import json
import unicodedata


def rows(word="escaped"):
    out, seen = [], set()

    def known(raw):
        """What a reader of JSON makes of the text: the name, if it is one that a file can have."""
        try:
            text = json.loads(raw)
            return text.encode() if isinstance(text, str) and "\0" not in text else None
        except (ValueError, UnicodeEncodeError):
            return None

    def add(label, text, raw=None):
        body = raw if raw is not None else json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if body in seen:
            return
        seen.add(body)
        path = known(raw) if raw is not None else None
        if raw is None:
            try:
                path = text.encode("utf-8")
            except UnicodeEncodeError:
                path = None
            if path is not None and b"\0" in path:
                path = None
        out.append((label, body, path))

    n = word
    separators = ["/", "\\", "//", "\\\\", "/\\", "\\/", "\u2215", "\u2044", "\uff0f", "\u29f8", "%2f", "%5c", "%252f"]
    ups = ["..", ".", "...", ".. ", " ..", "..\u200b", "\u2024\u2024", "\uff0e\uff0e", "%2e%2e", "..;", "..%00", "..\t", "..:"]
    for depth in (1, 2, 3, 5, 9):
        for sep in separators:
            for up in ups:
                add("climb", (up + sep) * depth + n)
    for sep in ("/", "\\"):
        for up in ("..", "."):
            for place in ("a{s}{u}", "a{s}b{s}{u}{s}{u}{s}{u}{s}" + n, "a{s}{u}{s}{u}{s}" + n, "{u}", "{u}{s}", "{s}{u}{s}" + n,
                          "a{s}{u}{s}" + n, "a{s}b{s}{u}", "{u}{s}{u}", "a{s}{s}b" + n, "a{s}", "{s}", "{s}{s}" + n):
                add("climb inside", place.format(s=sep, u=up))
    for start in ("/", "//", "///", "\\", "\\\\", "{OUT}/", "//{OUT}/", "/{OUT}/../", "~/", "~root/", "$HOME/", "${HOME}/", "%HOME%/",
                  "file:///", "file://localhost/", "http://127.0.0.1/", "/proc/self/cwd/", "/dev/shm/", "/tmp/", "/etc/", "./",
                  "-/", "--/", "\\\\?\\C:\\", "\\\\.\\C:\\", "\\\\.\\pipe\\", "\\\\server\\share\\", "//server/share/", "\\??\\C:\\",
                  "\\Device\\HarddiskVolume1\\", "//?/C:/", "//./C:/"):
        add("absolute", start + n)
    for drive in "ACZacz":
        for rest in (":", ":/", ":\\", ":..\\", ":../", ":\\..\\", ":."):
            add("drive", drive + rest + n)
            add("drive inside", "a/" + drive + rest + n)
    reserved = ["CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"] + [p + d for p in ("COM", "LPT") for d in "123456789\u00b9\u00b2\u00b3"]
    for base in reserved:
        for shape in ("{}", "{}.txt", "{}.tar.gz", "a/{}", "{}/a", "{} ", "{}.", "{}:stream"):
            add("reserved", shape.format(base))
        add("reserved", base.lower() + ".bin")
    for base in ("a", "config.json", ".gitattributes", "x.safetensors"):
        for end in (".", "..", " ", "  ", " .", ". ", "...", "\t", "\u00a0", "\u3000", ":", "::$DATA", ":evil", ":evil:$DATA", ":$I30:$INDEX_ALLOCATION",
                    "*", "?", '"', "<", ">", "|", "\u200b", "\ufeff"):
            add("end", base + end)
            add("end", base + end + "/b")
    for code in list(range(0, 32)) + [127]:
        add("control", "a" + chr(code) + n)
        add("control first", chr(code) + n)
    add("escape", "\x1b]0;owned\x07" + n)
    add("escape", "\x1b[2J" + n)
    add("escape", "\u009b2J" + n)
    add("newline", "a\nHTTP/1.1 200 OK\r\n\r\n" + n)
    for code in (0x202a, 0x202d, 0x202e, 0x2066, 0x2067, 0x2069, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2060, 0xfeff, 0x00ad, 0x034f,
                 0x115f, 0x180e, 0xe0001, 0xfffe, 0xffff, 0x10ffff, 0x85, 0x2028, 0x2029):
        for where in ("{}a", "a{}b", "a{}", ".{}./" + n, ".g{}it/hooks/" + n, ".cache{}/huggingface/" + n):
            add("invisible", where.format(chr(code)))
    overlong = [b"\xc0\xae", b"\xe0\x80\xae", b"\xf0\x80\x80\xae", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xc1\x9c", b"\xc0\x80", b"\xed\xa0\x80",
                b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf8\x88\x80\x80\x80"]
    for bad in overlong:
        for shape in (b"%s", b"%s%s/" + n.encode(), b"a/%s%s/" + n.encode(), b"a%s", b"%sb"):
            add("no utf-8", None, b'"' + shape.replace(b"%s", bad) + b'"')
    for escape in ("\\u0000", "\\ud800", "\\udfff", "\\ud800\\ud800", "\\udc00\\ud800", "\\u002e\\u002e/" + n, "\\u002e\\u002e\\u002f" + n,
                   "\\u002f" + n, "..\\/" + n, "\\u005c\\u005cserver\\u005cshare", "a\\u0000/../../" + n):
        for shape in ('"%s"', '"a%s"', '"%s/b"', '"a/%s"'):
            add("json escape", None, (shape % escape).encode())
    for text in ("caf\u00e9", "\u00c5ngstr\u00f6m", "\ud55c\uad6d", "\u0399\u0390", "\ufb01le", "\u212bngstrom", "s\u0323\u0307", "\u1e9e", "\u0130stanbul", "stra\u00dfe"):
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            add("form", unicodedata.normalize(form, text) + ".txt")
            add("form", "d" + unicodedata.normalize(form, text) + "/x")
        add("case", text.upper() + ".txt")
        add("case", text.lower() + ".TXT")
    for length in (200, 246, 247, 248, 250, 254, 255, 256, 257, 300, 1000, 4000, 5000, 70000):
        add("long", "a" * length)
        add("long", "d/" + "a" * length)
        add("long", "a" * length + "/b")
        add("long, two bytes", "\u00e9" * (length // 2))
    for depth in (10, 50, 100, 127, 128, 500, 1000, 1900, 2100, 5000):
        add("deep", "a/" * depth + "b")
        add("deep climb", "a/" * depth + "../" * (depth + 3) + n)
    own = [".git", ".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.", ".git...", ".git . .", ".git::$INDEX_ALLOCATION", ".git:x", ".g\u200cit", ".\u200dgit",
           ".gi\ufefft", ".git\u200e", ".git\\hooks", "a\\.git", ".cache/huggingface", ".CACHE/HUGGINGFACE", ".cache/HuggingFace", ".Cache/huggingface",
           ".cache./huggingface", ".cache /huggingface", ".cache/huggingface.", ".cache/huggingface ", ".cache\\huggingface", ".cac\u200che/huggingface",
           ".cache//huggingface", ".cache/./huggingface", ".cache", ".huggingface", ".HUGGINGFACE", ".hg", ".svn", ".ssh", ".bashrc", ".profile"]
    for base in own:
        for inside in ("", "/hooks/pre-commit", "/config", "/download/config.json.metadata", "/download/config.json.lock", "/x.incomplete",
                       "/.gitignore", "/trees/" + "1234567890abcdef1234567890abcdef12345678" + ".json", "/CACHEDIR.TAG"):
            add("own", base + inside)
            if inside:
                add("own inside", "sub/" + base + inside)
    for name in ("config.json.metadata", "config.json.lock", "config.json.incomplete", "x.libhf", ".libhf", ".libhf/p", "x.libhf/p.kept/data", "refs/main", "blobs/x",
                 "snapshots/x", "trees/x.json", ".no_exist/x", ".locks/x", "CACHEDIR.TAG", "version.txt", "token", "stored_tokens", "hf.conf", "desktop.ini",
                 ".DS_Store", "autorun.inf", "Thumbs.db", "-rf", "--help", "-", "--", "*", "?", "[a]", "{a,b}", "$(id)", "`id`", ";id", "|id", "&id", "a b",
                 "'", '"', "%s%n%s%n", "%00", "#", "?x=1", "a?b", "a#b", "a%2fb", "a%b", "+", "=", "@", "a@b", "!", "^", "~", "null", "undefined", "NaN",
                 "__proto__", "constructor", "0", "-1", "1e9", "true", "[]", "{}", " ", "  a", ".", "..", "", ".hidden", "..hidden", "...", "....", "a..b", "a...", "..a/b"):
        add("word", name)
    for raw in (b"null", b"1", b"true", b"[]", b"{}", b'["a"]', b'{"a":1}', b"-1", b"1e400"):
        add("no text", None, raw)
    return out
