/*
 * What the command does to its own process before it holds a secret, and undoes before it
 * becomes another program.
 */
#ifndef IBMIAM_PROCESS_H
#define IBMIAM_PROCESS_H

/* No core dumps, and no debugger of the same user.  Called once, first. */
void process_protect(void);

/* The limit of core dumps as it was. */
void process_restore(void);

#endif
