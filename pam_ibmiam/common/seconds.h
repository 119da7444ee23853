/*
 * Whole seconds, as options give them: digits and nothing else, so no sign, blank or fraction.
 */
#ifndef IBMIAM_SECONDS_H
#define IBMIAM_SECONDS_H

/* From 0 to max, or -1: it is none, or more. */
static inline int seconds_parse(const char *text, int max)
{
	int n = 0;

	if (*text == '\0')
		return -1;
	for (; *text; text++) {
		int digit = *text - '0';

		if (digit < 0 || digit > 9 || n > max / 10 || n * 10 > max - digit)
			return -1;
		n = n * 10 + digit;
	}
	return n;
}

#endif
