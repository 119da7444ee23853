/* A decision from its beginning to its end, as the broker's loop makes it. */
#ifndef UNIT_DECIDE_H
#define UNIT_DECIDE_H

#include "deadline.h"
#include "decision.h"

static void unit_answered(void *arg)
{
	*(bool *)arg = true;
}

/* Asks IAM whatever the decision wants to know. */
static inline void unit_decide(struct decision *d, struct iam *iam, const struct config *config,
			       const struct wire_request *request, int64_t deadline_ms)
{
	static struct directory directory;
	const struct decision_basis basis = { .config = config, .directory = &directory };

	decision_begin(d, &basis, request);
	while (!decision_go_on(d)) {
		bool answered = false;

		if (!iam_begin(iam, config, &d->question, deadline_ms, &d->answer, unit_answered, &answered))
			continue;
		while (!answered)
			iam_wait(iam, -1, 1000);
	}
}

#endif
