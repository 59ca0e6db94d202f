"""Looks at report pages in a real browser, which must be there: no message, no request, nothing sideways, axe content.

    python browser.py [--shots FOLDER] [--readme FOLDER] [--self-test] PAGE.html ...

Needs Chromium (`CHROMIUM`, or one on the path) and requirements.txt. Where there is no Chromium it says so and ends with 4.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile

import html5lib
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

SECTIONS = {"What was examined", "Compliance by month", "Accounts", "Exceptions", "What this does not prove", "Sources and policy"}
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}


def looked_at(browser, page_file, shots):
    """Everything that is wrong with a page."""
    wrong = []
    text = page_file.read_text(encoding="utf-8")
    try:
        html5lib.HTMLParser(strict=True).parse(text)
    except Exception as error:  # html5lib has no class of its own for it
        wrong.append(f"html5lib: {error}")
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            requests = []
            page.on("console", lambda message: wrong.append(f"console: {message.text}"))
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("request", lambda request: requests.append(request.url))
            page.goto(page_file.resolve().as_uri())
            if len(requests) != 1:
                wrong.append(f"requests: {requests[1:4]}")
            if page.evaluate("document.scripts.length") or page.evaluate("typeof window.owned !== 'undefined'"):
                wrong.append("a script is there, or ran")
            sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if sideways > 0:
                wrong.append(f"{sideways} px beyond the page, {size}")
            missing = SECTIONS - set(page.evaluate("[...document.querySelectorAll('h2')].map(h => h.textContent)"))
            if missing:
                wrong.append(f"no section {missing}")
            reached = page.evaluate(
                "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth && s.tabIndex < 0).length"
            )
            if reached:
                wrong.append(f"{reached} areas that scroll and cannot be reached by Tab")
            if shots:
                page.screenshot(path=str(shots / f"{page_file.stem}-{size}-{scheme}.png"), full_page=True)
            if size == "wide" and scheme == "light":
                wrong += tabbed(page)
                wrong += printed(page)
            context.close()
        # axe is a script: the page's own policy keeps it out.
        context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(page_file.resolve().as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        found = Axe().run(page)
        for violation in found.response["violations"]:
            nodes = [node["html"][:120] for node in violation["nodes"][:2]]
            wrong.append(f"axe, {scheme}: {violation['id']}: {nodes}")
        context.close()
    return wrong


def tabbed(page):
    """Whether everything that one can use is reached by Tab."""
    wanted = page.evaluate("document.querySelectorAll('a[href], summary, [tabindex=\"0\"]').length")
    seen = set()
    # What lies in folded parts is reached when they are open.
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for _ in range(3 * wanted + 10):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].indexOf(document.activeElement)"))
    missed = set(range(wanted)) - seen
    return [f"not reached by Tab: {len(missed)} of {wanted}"] if missed else []


def printed(page):
    """Whether print has every section and the lines to sign."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "page.pdf"
        page.pdf(path=str(path), format="A4")
        if path.stat().st_size < 10_000:
            return ["the printed page is empty"]
    page.emulate_media(media="print")
    hidden = page.evaluate(
        "[...document.querySelectorAll('section, .sign')].filter(s => s.getBoundingClientRect().height === 0).length"
    )
    page.emulate_media(media="screen")
    return [f"{hidden} parts are not printed"] if hidden else []


def for_the_readme(browser, page_file, folder):
    """What the README shows of the example: the beginning of its page on a desk and on a phone."""
    for name, width, height, scheme in (("report", 1280, 1090, "light"), ("report-phone", 390, 1090, "dark")):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.goto(page_file.resolve().as_uri())
        page.screenshot(path=str(folder / f"{name}.png"))
        context.close()


SPOILT = {
    "a script": ("</body>", "<script>window.owned = 1</script></body>"),
    "an image from elsewhere": ("</body>", '<img src="https://example.org/x.png" alt=""></body>'),
    "a page too wide": ("</body>", '<div style="width:5000px">x</div></body>'),
    "a section that is gone": ("What this does not prove</h2>", "X</h2>"),
    "no language": ('<html lang="en">', "<html>"),
    "an unbalanced tag": ("</main>", "</div></main>"),
}


def self_test(browser, page_file):
    """Each spoilt page must be refused."""
    text = page_file.read_text(encoding="utf-8")
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (old, new) in SPOILT.items():
            assert old in text, name
            spoilt = pathlib.Path(folder) / "spoilt.html"
            # The page's own policy would keep styles of elements out; without it the check is about the page.
            plain = text.replace("Content-Security-Policy", "x-none") if name == "a page too wide" else text
            spoilt.write_text(plain.replace(old, new, 1), encoding="utf-8")
            if not looked_at(browser, spoilt, None):
                failed.append(name)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--shots", type=pathlib.Path)
    parser.add_argument("--readme", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        print("SKIPPED: there is no Chromium here, so no page was looked at in a browser")
        return 4
    if args.shots:
        args.shots.mkdir(parents=True, exist_ok=True)
    bad = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        for page in args.pages:
            for what in looked_at(browser, page, args.shots):
                bad += 1
                print(f"{page.name}: {what}")
        if args.readme:
            for_the_readme(browser, args.pages[0], args.readme)
        if args.self_test:
            missed = self_test(browser, args.pages[0])
            bad += len(missed)
            print(f"self-test: {len(SPOILT) - len(missed)} of {len(SPOILT)} spoilt pages refused {missed or ''}")
        browser.close()
    print(f"{len(args.pages)} pages, {bad} wrong")
    return 1 if bad else 0


sys.exit(main())
