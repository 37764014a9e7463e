//! Functions of every shape, written so that lints have something to say.

use bytes::Bytes;
use graph_operation::async_operation;
use graph_operation::{Client, blocking};
use http::{Request, Response, Uri};
use std::pin::Pin;
use std::sync::Arc;

type Result<T> = graph_operation::Result<T>;
type HttpResult = Result<Response<Bytes>>;

/// A client.
#[derive(Clone, Debug)]
pub struct Graph {
    root: Uri,
    count: usize,
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.root
    }

    async fn send(&self, request: Request<Bytes>) -> HttpResult {
        Ok(Response::new(request.into_body()))
    }
}

impl blocking::Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.root
    }

    fn send(&self, request: Request<Bytes>) -> HttpResult {
        Ok(Response::new(request.into_body()))
    }
}

/// An error.
#[derive(Debug)]
pub struct MyError(graph_operation::Error);

impl From<graph_operation::Error> for MyError {
    fn from(error: graph_operation::Error) -> Self {
        Self(error)
    }
}

impl MyError {
    /// Returns its own type.
    #[async_operation(client = graph)]
    pub async fn own(graph: &Graph) -> std::result::Result<Response<Bytes>, MyError> {
        Ok(graph.post(graph.root.to_string()).await?)
    }
}

impl Graph {
    async fn post(&self, url: String) -> HttpResult {
        Client::send(self, Request::new(url.into())).await
    }

    /// Leads with a use.
    #[async_operation]
    pub async fn leading_use(&self) -> HttpResult {
        use std::fmt::Write as _;
        let mut url = String::new();
        let _ = write!(url, "teams/{}", self.count);
        self.post(url).await
    }

    /// Leads with a constant.
    #[async_operation]
    pub async fn leading_const(&self, id: String) -> HttpResult {
        const ROOT: &str = "teams";
        self.post(format!("{ROOT}/{id}")).await
    }

    /// Leads with a function.
    #[async_operation]
    pub async fn leading_fn(&self) -> HttpResult {
        fn url(count: usize) -> String {
            format!("teams/{count}")
        }
        self.post(url(self.count)).await
    }

    /// Leads with a function.
    #[async_operation]
    pub fn leading_fn_blocking(&self, id: String) -> HttpResult {
        fn url(id: &str) -> String {
            format!("teams/{id}")
        }
        blocking::Client::send(self, Request::new(url(&id).into()))
    }

    /// Has an item after statements.
    #[async_operation]
    pub async fn late_item(&self) -> HttpResult {
        let count = self.count;
        const ROOT: &str = "teams";
        self.post(format!("{ROOT}/{count}")).await
    }

    /// Takes what it does not use.
    #[async_operation]
    pub async fn underscored(&self, _id: String, _count: &usize, _: String) -> HttpResult {
        self.post(String::new()).await
    }

    /// Takes what it does not use.
    #[async_operation]
    pub fn underscored_blocking(&self, _id: String, _: String) -> HttpResult {
        blocking::Client::send(self, Request::new(Bytes::new()))
    }

    /// Uses what it says it does not.
    #[async_operation]
    pub async fn underscored_used(&self, _id: String) -> HttpResult {
        self.post(_id).await
    }

    /// Does not use its arguments.
    #[async_operation]
    pub async fn unused(&self, id: String, mut count: usize, (a, b): (u8, u8)) -> HttpResult {
        self.post(String::new()).await
    }

    /// Does not use its arguments.
    #[async_operation]
    pub fn unused_blocking(&self, id: String, mut count: usize) -> HttpResult {
        blocking::Client::send(self, Request::new(Bytes::new()))
    }

    /// Not written yet.
    #[async_operation(client = self)]
    pub async fn unwritten(self) -> HttpResult {
        todo!()
    }

    /// Not written yet.
    #[async_operation]
    pub async fn unwritten_mutable(mut self, id: String) -> HttpResult {
        todo!()
    }

    /// Not written yet.
    #[async_operation]
    pub async fn unwritten_shared(self: Arc<Self>) -> HttpResult {
        todo!("later")
    }

    /// Not written yet.
    #[async_operation]
    pub fn unwritten_blocking(self) -> HttpResult {
        todo!()
    }

    /// Not written yet.
    #[async_operation]
    pub fn unwritten_future(self, id: String) -> Pin<Box<dyn Future<Output = HttpResult> + Send>> {
        todo!()
    }

    /// Not written to the end.
    #[async_operation]
    pub async fn unwritten_end(mut self) -> HttpResult {
        self.count += 1;
        todo!()
    }

    /// Not written to the end.
    #[async_operation]
    pub async fn unwritten_assignment(mut self) -> HttpResult {
        self = graph("");
        todo!()
    }

    /// Assigns for nothing.
    #[async_operation]
    pub async fn assigned(&self, mut id: String) -> HttpResult {
        let url = id.clone();
        id = String::new();
        self.post(url).await
    }

    /// Is one `if`.
    #[async_operation]
    pub async fn same(&self, early: bool) -> HttpResult {
        if early {
            self.post(String::new()).await
        } else {
            self.post(String::new()).await
        }
    }

    /// Returns early.
    #[async_operation]
    pub async fn early(&self, early: bool) -> HttpResult {
        if early == true {
            return self.post(String::new()).await;
        }
        return self.post(String::from("a").into()).await;
    }

    /// Returns early.
    #[async_operation]
    pub fn early_blocking(&self, early: bool) -> HttpResult {
        if early {
            return Ok(Response::new(Bytes::new()));
        }
        return Ok(Response::new(Bytes::new()));
    }

    /// Binds and returns.
    #[async_operation]
    pub async fn bound(&self, names: &Vec<String>) -> HttpResult {
        let answer = self.post(names.join("/")).await;
        answer
    }

    /// Binds and returns.
    #[async_operation]
    pub async fn bound_value(&self, name: String) -> HttpResult {
        let answer = self.post(name.clone()).await;
        answer
    }

    /// Asks and wraps.
    #[async_operation]
    pub async fn wrapped(&self) -> HttpResult {
        Ok(self.post(String::new()).await?)
    }

    /// Has a block of its own.
    #[async_operation]
    pub async fn block(&self) -> HttpResult {
        { self.post(String::new()).await }
    }

    /// Uses a name for itself.
    #[async_operation]
    pub async fn own_name(&self) -> std::result::Result<Response<Bytes>, MyError> {
        Ok(Graph { root: self.root.clone(), count: 0 }.post(String::new()).await?)
    }

    /// Is qualified too much.
    #[async_operation]
    pub async fn qualified(&self) -> std::result::Result<http::Response<bytes::Bytes>, MyError> {
        Ok(self.post(std::string::String::new()).await?)
    }

    /// Names a lifetime for nothing.
    #[async_operation]
    pub async fn lifetimes<'a>(&'a self, id: &'a str) -> HttpResult {
        self.post(id.to_string()).await
    }

    /// Has badly named arguments.
    #[async_operation]
    pub async fn names(&self, teamId: String, item: &str, items: &str) -> HttpResult {
        self.post(teamId + item + items).await
    }

    /// A future.
    #[async_operation]
    pub fn future(&self, id: String) -> impl Future<Output = HttpResult> + Send {
        let url = id.clone();
        async move { self.post(url).await }
    }

    /// A boxed future.
    #[async_operation]
    pub fn boxed<'a>(&'a self, _id: String) -> Pin<Box<dyn Future<Output = HttpResult> + Send + 'a>> {
        Box::pin(async move {
            let answer = self.post(String::new()).await;
            answer
        })
    }

    /// Returns its request.
    #[async_operation(idempotent)]
    pub async fn request(&self, id: &str) -> Result<Request<Bytes>> {
        let url = format!("{}/teams/{}", self.root, id);
        Ok(Request::new(url.into()))
    }

    /// Returns its request.
    #[async_operation]
    pub fn request_blocking(&self, id: &str) -> Result<Request<String>> {
        Ok(Request::new(format!("{}/teams/{}", self.root, id)))
    }

    async fn private(&self) -> HttpResult {
        self.post(String::new()).await
    }

    #[async_operation]
    async fn private_operation(&self) -> HttpResult {
        self.post(String::new()).await
    }

    #[async_operation]
    pub async fn undocumented(&self) -> HttpResult {
        self.post(String::new()).await
    }

    /// Has many arguments.
    #[async_operation]
    pub async fn many(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> HttpResult {
        self.post(format!("{a}{b}{c}{d}{e}{f}{g}")).await
    }

    /// Is generic.
    #[async_operation]
    pub async fn generic<T>(&self, id: T) -> HttpResult
    where
        T: Into<String> + Send,
    {
        self.post(id.into()).await
    }

    /// Moves what it has.
    #[async_operation(client = self)]
    pub async fn moved(self, id: Box<String>) -> HttpResult {
        let graph = self;
        graph.post(*id).await
    }

    /// Hides what it has.
    #[async_operation]
    pub async fn shadowed(&self, id: String) -> HttpResult {
        let id = id.trim();
        let id = id.to_owned();
        self.post(id).await
    }

    /// Casts and compares.
    #[async_operation]
    pub async fn casts(&self, count: u64) -> HttpResult {
        let small = count as u32;
        if small.to_string().len() == 0 {
            return self.post(String::new()).await;
        }
        self.post(small.to_string()).await
    }
}

/// What clippy looks at more closely.
impl Graph {
    /// Panics.
    #[async_operation]
    pub async fn panics(&self, id: Option<String>) -> HttpResult {
        self.post(id.unwrap()).await
    }

    /// Panics.
    #[async_operation]
    pub fn panics_blocking(&self, id: &str) -> HttpResult {
        assert!(!id.is_empty(), "no id");
        let _: Uri = id.parse().expect("a URI");
        Ok(Response::new(Bytes::new()))
    }

    /// Holds a lock too long.
    #[async_operation]
    pub async fn locks(&self, id: &std::sync::Mutex<String>) -> HttpResult {
        let guard = id.lock().unwrap();
        let url = guard.clone();
        let _ = url.len();
        let count = self.count;
        drop(guard);
        self.post(url + &count.to_string()).await
    }

    /// Takes what it need not.
    #[async_operation]
    pub async fn takes(
        &mut self,
        id: &mut String,
        name: &Option<String>,
        small: &u8,
        list: Vec<String>,
        yes: bool,
        no: bool,
    ) -> HttpResult {
        let url = match name {
            Some(name) => name.clone(),
            None => id.clone(),
        };
        let _ = (small, yes, no, list.len());
        self.post(url).await
    }

    /// Takes what it need not.
    #[async_operation]
    pub fn takes_blocking(
        &mut self,
        id: &mut String,
        name: &Option<String>,
        small: &u8,
    ) -> HttpResult {
        let _ = (id.len(), name, small);
        Ok(Response::new(Bytes::new()))
    }

    /// Converts by name.
    #[async_operation]
    pub async fn into_archive(&self) -> HttpResult {
        self.post(String::new()).await
    }

    /// Is marked twice.
    #[must_use]
    #[async_operation]
    pub async fn marked(&self) -> HttpResult {
        self.post(String::new()).await
    }

    /// Is not `Send`.
    #[async_operation]
    pub async fn local<T: ToString>(&self, id: T, cell: std::rc::Rc<u8>) -> HttpResult {
        let answer = self.post(id.to_string()).await;
        drop(cell);
        answer
    }

    /// Could be an `async fn`.
    #[async_operation]
    pub fn manual(&self) -> impl Future<Output = HttpResult> {
        async move { self.post(String::new()).await }
    }

    /// Has lifetimes to spare.
    #[async_operation]
    pub async fn spare<'a, 'b>(&'a self, id: &'b str) -> Result<Response<Bytes>> {
        self.post(String::from(id)).await
    }

    /// Has types of its own.
    #[async_operation]
    pub async fn types(
        &self,
        id: impl Into<String> + Send,
        #[allow(unused_variables)] allowed: u8,
        #[expect(unused_variables)] expected: u8,
        &small: &u8,
        ref name: String,
    ) -> HttpResult {
        let _ = small;
        self.post(id.into() + name).await
    }

    /// Has blocks and semicolons.
    #[async_operation]
    pub async fn blocks(&self) -> HttpResult {
        let count = { self.count };
        let url = (count.to_string());
        unsafe { std::hint::black_box(()) };
        self.post(url).await
    }

    /// Matches.
    #[async_operation]
    pub async fn matches(&self, id: Option<&str>) -> HttpResult {
        match id {
            Some(id) => self.post(id.to_string()).await,
            _ => self.post(String::new()).await,
        }
    }

    /// Is empty before its end.
    #[async_operation]
    pub async fn awaits(&self) -> HttpResult {
        let future = self.post(String::new());
        let _ = future.await?;
        let _future = self.post(String::new());
        self.post(String::new()).await
    }

    #[async_operation]
    fn unused_method(&self, _id: String) -> HttpResult {
        Ok(Response::new(Bytes::new()))
    }

    /// Deprecated within.
    #[async_operation]
    #[allow(clippy::unused_async, reason = "for a test")]
    pub async fn old(&self) -> HttpResult {
        self.older().await;
        self.post(String::new()).await
    }

    /// Deprecated.
    #[deprecated]
    pub async fn older(&self) {}
}

/// Of operations.
pub trait Teams {
    /// The error.
    type Error;

    /// Archives.
    #[async_operation]
    fn archive(&self, id: &str) -> impl Future<Output = HttpResult> + Send;

    /// Restores.
    #[async_operation]
    fn restore(&self, _id: String) -> HttpResult;

    /// Clones.
    #[async_operation]
    fn copy(&self, id: Graph) -> impl Future<Output = std::result::Result<Response<Bytes>, MyError>> + Send;
}

impl Teams for Graph {
    type Error = MyError;

    #[async_operation]
    async fn archive(&self, id: &str) -> HttpResult {
        self.post(id.to_owned()).await
    }

    #[async_operation]
    fn restore(&self, _id: String) -> HttpResult {
        blocking::Client::send(self, Request::new(Bytes::new()))
    }

    #[async_operation]
    async fn copy(&self, id: Graph) -> std::result::Result<Response<Bytes>, MyError> {
        Ok(id.post(String::new()).await?)
    }
}

impl Teams for MyError {
    type Error = Self;

    #[async_operation(client = graph(id))]
    async fn archive(&self, id: &str) -> HttpResult {
        graph(id).post(id.to_owned()).await
    }

    #[async_operation(client = graph(""))]
    fn restore(&self, _id: String) -> HttpResult {
        unimplemented!()
    }

    #[async_operation(client = id)]
    async fn copy(&self, id: Graph) -> std::result::Result<Response<Bytes>, MyError> {
        Ok(id.post(String::new()).await?)
    }
}

fn graph(_: &str) -> Graph {
    Graph { root: Uri::from_static("/"), count: 0 }
}

/// Shapes that programs have.
impl Graph {
    /// Returns early if there is no id.
    #[async_operation]
    pub async fn leaves(&self, id: Option<&str>) -> std::result::Result<Response<Bytes>, MyError> {
        let Some(id) = id else {
            return Ok(Response::new(Bytes::new()));
        };
        let url = id.parse::<Uri>().map_err(|error| MyError(graph_operation::Error::transport(error)))?;
        Ok(self.post(url.to_string()).await?)
    }

    /// Fails by `?`.
    #[async_operation]
    pub async fn fails(&self, id: &str) -> HttpResult {
        if id.is_empty() {
            Err(graph_operation::Error::transport("empty"))?;
        }
        Ok(self.post(id.into()).await?)
    }

    /// Fails by `?`.
    #[async_operation]
    pub fn fails_blocking(&self, id: &str) -> HttpResult {
        if id.is_empty() {
            Err(graph_operation::Error::transport("empty"))?;
        }
        let answer = blocking::Client::send(self, Request::new(Bytes::new()))?;
        Ok(answer)
    }

    /// Tries again.
    #[async_operation]
    pub async fn tries(&self, mut tries: u8) -> HttpResult {
        loop {
            match self.post(tries.to_string()).await {
                Ok(answer) => break Ok(answer),
                Err(error) if tries == 0 => break Err(error),
                Err(_) => tries -= 1,
            }
        }
    }

    /// Has names of the expansion's.
    #[async_operation]
    pub async fn hygiene(&self, begin: String, start: u8, request: &str) -> HttpResult {
        let answer = request.len() + usize::from(start);
        let begin = begin + &answer.to_string();
        self.post(begin).await
    }

    /// Uses what it says it does not.
    #[async_operation]
    pub async fn underscored_mutable(&self, mut _id: String, mut _count: u8) -> HttpResult {
        _id.push('a');
        self.post(_id).await
    }

    /// Takes tuples.
    #[async_operation]
    pub async fn patterns(&self, (mut a, b): (String, u8), [c, ..]: [u8; 2], Self { count, .. }: Graph) -> HttpResult {
        self.post(a).await
    }

    /// Takes tuples.
    #[async_operation]
    pub fn patterns_blocking(&self, (mut a, b): (String, u8), [c, ..]: [u8; 2]) -> HttpResult {
        let _ = a;
        Ok(Response::new(Bytes::new()))
    }

    /// Goes on after its end.
    #[async_operation]
    pub async fn unreachable(&self) -> HttpResult {
        return self.post(String::new()).await;
        self.post(String::from("b")).await
    }

    /// Ignores what it should not.
    #[async_operation]
    pub async fn ignores(&self, mut list: Vec<String>) -> HttpResult {
        list.pop();
        self.post(String::new()).await;
        self.post(String::new());
        let _ = self.post(list.join("/"));
        let url = async { async { String::new() } }.await.await;
        self.post(url).await
    }

    /// Holds closures.
    #[async_operation]
    pub async fn closures(&self, ids: &[String]) -> HttpResult {
        let all = ids.iter().map(|id| id.to_string()).collect::<Vec<_>>();
        let first = || async { self.post(all.join("/")).await };
        let answer = first().await?;
        let unused = 3;
        Ok(answer)
    }

    /// Clones for nothing.
    #[async_operation]
    pub async fn clones(&self, id: String) -> HttpResult {
        let copy = id.clone();
        let graph = self.clone();
        graph.post(copy).await
    }

    /// Works on itself.
    #[async_operation]
    pub async fn works(mut self, id: String) -> HttpResult {
        self.count += id.len();
        self.post(self.count.to_string()).await
    }

    /// Works on itself.
    #[async_operation]
    pub fn works_blocking(mut self, id: String) -> HttpResult {
        self.count += id.len();
        blocking::Client::send(&self, Request::new(self.count.to_string().into()))
    }

    /// Is boxed.
    #[async_operation]
    pub async fn receiver_boxed(self: Box<Self>, id: &str) -> HttpResult {
        self.post(id.to_owned()).await
    }

    /// Is shared.
    #[async_operation]
    pub async fn receiver_shared(self: &Arc<Self>, id: &str) -> HttpResult {
        let other = Arc::clone(self);
        other.post(id.to_owned()).await
    }

    /// Is counted.
    #[async_operation(client = self.as_ref())]
    pub async fn receiver_counted(self: std::rc::Rc<Self>) -> HttpResult {
        self.post(String::new()).await
    }

    /// Is large.
    #[async_operation]
    pub async fn large(&self) -> HttpResult {
        let buffer = [0_u8; 20_000];
        let answer = self.post(String::new()).await;
        drop(buffer.len());
        answer
    }

    /// Awaits a large future.
    #[async_operation]
    pub async fn larger(&self) -> HttpResult {
        let buffer = [0_u8; 20_000];
        async { self.post(String::new()).await.map(|_| buffer) }.await?;
        self.post(String::new()).await
    }

    /// Is complex.
    #[async_operation]
    #[rustfmt::skip]
    pub async fn complex(&self, n: u8) -> HttpResult {
        if n == 1 { return self.post(String::from("1")).await; }
        if n == 2 { return self.post(String::from("2")).await; }
        if n == 3 { return self.post(String::from("3")).await; }
        if n == 4 { return self.post(String::from("4")).await; }
        if n == 5 { return self.post(String::from("5")).await; }
        if n == 6 { return self.post(String::from("6")).await; }
        if n == 7 { return self.post(String::from("7")).await; }
        if n == 8 { return self.post(String::from("8")).await; }
        if n == 9 { return self.post(String::from("9")).await; }
        if n == 10 { return self.post(String::from("10")).await; }
        if n == 11 { return self.post(String::from("11")).await; }
        if n == 12 { return self.post(String::from("12")).await; }
        self.post(String::new()).await
    }

    /// Is as complex as it may be.
    #[async_operation]
    #[rustfmt::skip]
    pub fn complex_blocking(&self, n: u8) -> HttpResult {
        if n == 1 { return Ok(Response::new(Bytes::new())); }
        if n == 2 { return Ok(Response::new(Bytes::new())); }
        if n == 3 { return Ok(Response::new(Bytes::new())); }
        if n == 4 { return Ok(Response::new(Bytes::new())); }
        if n == 5 { return Ok(Response::new(Bytes::new())); }
        if n == 6 { return Ok(Response::new(Bytes::new())); }
        if n == 7 { return Ok(Response::new(Bytes::new())); }
        if n == 8 { return Ok(Response::new(Bytes::new())); }
        if n == 9 { return Ok(Response::new(Bytes::new())); }
        if n == 10 { return Ok(Response::new(Bytes::new())); }
        if n == 11 { return Ok(Response::new(Bytes::new())); }
        if n == 12 { return Ok(Response::new(Bytes::new())); }
        if n == 13 { return Ok(Response::new(Bytes::new())); }
        if n == 14 { return Ok(Response::new(Bytes::new())); }
        if n == 15 { return Ok(Response::new(Bytes::new())); }
        if n == 16 { return Ok(Response::new(Bytes::new())); }
        if n == 17 { return Ok(Response::new(Bytes::new())); }
        if n == 18 { return Ok(Response::new(Bytes::new())); }
        if n == 19 { return Ok(Response::new(Bytes::new())); }
        if n == 20 { return Ok(Response::new(Bytes::new())); }
        if n == 21 { return Ok(Response::new(Bytes::new())); }
        if n == 22 { return Ok(Response::new(Bytes::new())); }
        if n == 23 { return Ok(Response::new(Bytes::new())); }
        if n == 24 { return Ok(Response::new(Bytes::new())); }
        Ok(Response::new(Bytes::new()))
    }

    /// Could be a constant.
    #[async_operation]
    pub fn constant(&self, value: Response<Bytes>) -> HttpResult {
        Ok(value)
    }

    /// Chooses.
    #[async_operation]
    pub async fn chooses(&self, id: Option<String>, not: bool) -> HttpResult {
        let url = if let Some(id) = id { id } else { String::new() };
        if !not {
            let url = url.clone();
            self.post(url).await
        } else {
            let url = url.clone();
            self.post(url + "a").await
        }
    }

    /// Has attributes.
    #[inline]
    #[cold]
    #[deprecated(note = "for a test")]
    #[async_operation]
    #[doc(alias = "attr")]
    pub async fn attributes(&self) -> HttpResult {
        #![allow(unused_variables)]
        let unused = 3;
        self.post(String::new()).await
    }

    /// Holds a guard over an await.
    #[async_operation]
    pub async fn guards(&self, cell: &std::cell::RefCell<String>, lock: &std::sync::Mutex<u8>) -> HttpResult {
        let url = cell.borrow_mut();
        let guard = lock.lock().unwrap();
        let answer = self.post(url.clone()).await;
        drop(guard);
        answer
    }

    /// Captures what it says.
    #[async_operation]
    pub fn captures<'a>(&'a self, id: &'a str) -> impl Future<Output = HttpResult> + use<'a> {
        let url = id.to_owned();
        async move { self.post(url).await }
    }

    /// A future at once.
    #[async_operation]
    pub fn passed(&self, id: String) -> impl Future<Output = HttpResult> {
        self.post(id)
    }

    /// Is generic over constants.
    #[async_operation]
    pub async fn constants<const N: usize, T: AsRef<str> + ?Sized>(&self, ids: [&T; N]) -> HttpResult
    where
        Self: Sized,
    {
        let mut url = String::new();
        for id in ids {
            url += id.as_ref();
        }
        self.post(url).await
    }

    /// Casts and compares.
    #[async_operation]
    pub fn casts_blocking(&self, count: u64) -> HttpResult {
        let small = count as u32;
        let same = small as u32;
        if same.to_string().len() == 0 || count <= 0 {
            return Ok(Response::new(Bytes::new()));
        }
        Ok(Response::new(Bytes::new()))
    }

    /// Is under a condition.
    #[async_operation]
    pub async fn conditions(&self, #[cfg(any())] gone: u8, #[cfg(all())] id: String) -> HttpResult {
        #[cfg(any())]
        return Err(gone);
        self.post(id).await
    }
}

/// Any client.
#[async_operation(client = client, target = Vec<String>, timeout = "1h")]
pub async fn any_client<C: Client + Send + Sync>(client: &C, id: &str) -> Result<Request<String>> {
    let url: String = String::from(id);
    Ok(Request::new(url + &client.service_root().to_string()))
}

/// Any error.
#[async_operation(client = graph, map_err = Box::from)]
pub async fn any_error(graph: Graph, id: Option<u8>) -> std::result::Result<Response<Bytes>, Box<dyn std::error::Error>> {
    let id = id.ok_or_else(|| "none")?;
    Ok(graph.post(id.to_string()).await?)
}

macro_rules! archive {
    ($name:ident, $body:block, $ty:ty, $ret:ty) => {
        impl Graph {
            /// Made by a macro.
            #[async_operation]
            pub async fn $name(&self, id: $ty) -> $ret $body
        }
    };
}

archive!(by_macro, { Ok(Response::new(Bytes::new())) }, String, HttpResult);
archive!(by_macro_boxed, { { Ok(Response::new(Bytes::new())) } }, Box<String>, Result<Response<Bytes>>);
