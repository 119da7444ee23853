# Tests and demo.  Every test is a program that speaks TAP; prove runs them all.
#   make check          all of them, on a fresh Debian 12 too
#   make check T="tests/module/*.t"    some of them
#   make demo RECORD=1     also writes what it shows into README.md, to be committed

BUILD_PACKAGES := gcc libc6-dev libpam0g-dev libcurl4-openssl-dev libcjson-dev libconfuse-dev \
	ca-certificates libseccomp-dev libssl-dev
TEST_PACKAGES  := libcmocka-dev pamtester openssh-server openssh-client sudo perl \
	python3 python3-cryptography python3-h2 python3-tap procps systemd binutils openssl curl zsh mandoc

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
TEST_HOSTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/module/*.c tests/hosts/*.c))
PRELOADED  := $(patsubst tests/%.c,$(BUILD)/tests/%.so,$(wildcard tests/resident/*.c))
T := $(UNIT_TESTS) $(wildcard tests/*/*.t)

deps:
	@tests/deps $(BUILD_PACKAGES) $(TEST_PACKAGES)

check: deps
	@$(MAKE) --no-print-directory check-built

check-built: all $(UNIT_TESTS) $(TEST_HOSTS) $(PRELOADED)
	@BUILD=$(abspath $(BUILD)) CC='$(CC)' prove --exec '' --timer $(T)

demo: deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(abspath $(BUILD)) tests/demo/$(if $(RECORD),record,demo)

# What unit tests link: everything but the entry points.
TESTED := $(COMMON) $(filter-out %/main.o,$(BROKER))

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(TESTED)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(BROKER_LIBS)

$(BUILD)/tests/unit/%.o: ALL_CFLAGS += -Ipam_ibmiam/broker

# On clocks of their own.
$(BUILD)/tests/unit/test_limit: ALL_LDFLAGS += -Wl,--wrap=clock_gettime
$(BUILD)/tests/unit/test_renewal: ALL_LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,clock_gettime time \
	iam_begin iam_cancel iam_wait log_line)

$(BUILD)/tests/module/%: $(BUILD)/tests/module/%.o
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -rdynamic -o $@ $^ -lpam -ldl -lpthread

$(BUILD)/tests/hosts/%: $(BUILD)/tests/hosts/%.o
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -rdynamic -o $@ $^ -lpam -ldl -lpthread

# Preloaded into a broker.
$(BUILD)/tests/resident/%.so: tests/resident/%.c
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) -shared $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<

-include $(UNIT_TESTS:%=%.d) $(TEST_HOSTS:%=%.d)

.PHONY: deps check check-built demo
.SECONDARY:

include tests/tree/tree.mk
include tests/faults/faults.mk
include tests/load/load.mk
include tests/bench/bench.mk
include tests/fuzz/fuzz.mk
include tests/package/package.mk
