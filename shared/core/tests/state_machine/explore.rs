//! Breadth-first search over the states of a machine, and questions about what was found.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Debug,
};

/// What has or has not come to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// It has.
    Past,
    /// It has not.
    Future,
}

/// Something that moves from state to state, twice: as the rules say, and as the database does.
pub(crate) trait Machine {
    /// Where everything stands.
    type State: Clone + Ord + Debug;
    /// What somebody may do next.
    type Action: Copy + Ord + Debug;
    /// What who did it is told.
    type Answer: PartialEq + Debug;

    /// Where it begins.
    fn initial(&self) -> Self::State;
    /// What may happen in a state.
    fn actions(&self, state: &Self::State) -> Vec<Self::Action>;
    /// What the rules say.
    fn expected(&self, state: &Self::State, action: Self::Action) -> (Self::State, Self::Answer);
    /// What the database does.
    async fn actual(&self, state: &Self::State, action: Self::Action) -> (Self::State, Self::Answer);
    /// What must hold whenever an action leads from one state to another.
    fn check(&self, from: &Self::State, action: Self::Action, to: &Self::State);
}

/// All reachable states, each with what may happen and where that leads.
pub(crate) struct Graph<M: Machine>(BTreeMap<M::State, Edges<M>>);

/// What may happen in a state, and where that leads.
type Edges<M> = Vec<(<M as Machine>::Action, <M as Machine>::State)>;

/// Finds every reachable state, and fails at the first edge on which database and rules differ.
pub(crate) async fn explore<M: Machine>(machine: &M) -> Graph<M> {
    let mut edges = BTreeMap::new();
    let mut waiting = VecDeque::from([machine.initial()]);
    let mut seen = BTreeSet::from([machine.initial()]);
    while let Some(state) = waiting.pop_front() {
        let mut out = Vec::new();
        for action in machine.actions(&state) {
            let expected = machine.expected(&state, action);
            let actual = machine.actual(&state, action).await;
            assert_eq!(actual, expected, "{action:?} in {state:?}");
            let (next, _) = expected;
            machine.check(&state, action, &next);
            if seen.insert(next.clone()) {
                waiting.push_back(next.clone());
            }
            out.push((action, next));
        }
        edges.insert(state, out);
    }
    Graph(edges)
}

impl<M: Machine> Graph<M> {
    /// How many states and transitions there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.0.len(), self.0.values().map(Vec::len).sum())
    }

    /// The states in which `action` changes something.
    pub(crate) fn effective(&self, action: impl Fn(M::Action) -> bool) -> usize {
        let moves =
            |(state, out): (&M::State, &Edges<M>)| out.iter().any(|(taken, next)| action(*taken) && next != state);
        self.0.iter().filter(|entry| moves(*entry)).count()
    }

    /// The states from which no sequence of allowed actions leads to the goal.
    pub(crate) fn stuck(
        &self,
        goal: impl Fn(&M::State) -> bool,
        allowed: impl Fn(&M::State, M::Action) -> bool,
    ) -> Vec<&M::State> {
        let mut before: BTreeMap<&M::State, Vec<&M::State>> = BTreeMap::new();
        for (state, out) in &self.0 {
            for (_, next) in out.iter().filter(|(action, _)| allowed(state, *action)) {
                before.entry(next).or_default().push(state);
            }
        }
        let mut reaching: BTreeSet<&M::State> = self.0.keys().filter(|state| goal(state)).collect();
        let mut waiting: Vec<&M::State> = reaching.iter().copied().collect();
        while let Some(state) = waiting.pop() {
            for &previous in before.get(state).into_iter().flatten() {
                if reaching.insert(previous) {
                    waiting.push(previous);
                }
            }
        }
        self.0.keys().filter(|state| !reaching.contains(state)).collect()
    }
}
