/*
 * The resident broker's log: lines on stderr with the priority that systemd reads
 * (sd-daemon(3)).  A decision about a login is not logged here but by the module.
 */
#ifndef IBMIAM_LOG_H
#define IBMIAM_LOG_H

/* One line; priority as in syslog(3).  What is not printable ASCII becomes "?".  No secrets. */
void __attribute__((format(printf, 2, 3))) log_line(int priority, const char *format, ...);

/* The text with \ before each " and \, for a value in quotes, as in the module's lines.  Valid until
 * the next call. */
const char *log_quoted(const char *text);

#endif
