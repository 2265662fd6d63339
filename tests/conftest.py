"""Tables that tests record are shown at the end of a test run, to be read where only its log is kept."""


def pytest_terminal_summary(terminalreporter):
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for table in [text for name, text in getattr(report, "user_properties", []) if name == "table"]:
                terminalreporter.section(report.nodeid.split("::")[-1])
                terminalreporter.write_line(table)
