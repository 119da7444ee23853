# Many logins at once, one after the other, and with the broker killed; the resident broker in numbers; a few minutes, so not part of check.
load: deps
	@$(MAKE) --no-print-directory all $(BUILD)/tests/load/sequential $(BUILD)/tests/bench/host
	@BUILD=$(abspath $(BUILD)) prove --exec '' --verbose tests/load/load tests/load/resident

$(BUILD)/tests/load/%: $(BUILD)/tests/load/%.o
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lpam

-include $(BUILD)/tests/load/sequential.d

.PHONY: load
