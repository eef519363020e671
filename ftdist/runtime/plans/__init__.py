"""From a model and a budget to the plan of a run, whose peak is known before it runs.

The way through, top to bottom:

    choice         PlanProblem: all that decides which plan is best. Choice: a plan with its peak
    decision       Decision: the plan of a run. Asks in this order, and then counts what is left:
    plan_cache       1. is the plan known from a run before?
    plan_search      2. PlanSearch: which is the fastest plan that fits, or the smallest?
    planning_room       (no more memory than the budget leaves)
    fresh_process    3. did planning leave too little memory? Then begin anew with the plan
    frontier       Outlook: what `ftdist plan` says beside: runner-up, other budgets, the frontier
"""
