//! `/api/v1/settings`: provider keys, service keys, webhook destinations (contract 17) and provider limits (decision
//! E-09).

mod wire;

use axum::extract::State;
use shared_core::{
    Document, Secret, Timestamp, config,
    secrets::Cipher,
    settings::{self, NewSetting, Setting, SettingError, SettingType},
    webhooks::TargetPolicy,
};
use shared_http::{
    ApiConfig, ApiError, ApiResult, App, Created, Data, ErrorEnvelope, Issue, Json, OpaqueIdPath, OpenApiRouter, Part,
    Path, routes,
};
use shared_jobs::{Dispatcher, Queues, types::EXECUTION};
use shared_providers::{ProviderError, Registry, read_providers};

use wire::{
    CreateSettingRequest, DeleteSettingResult, IdentifierPath, SettingList, SettingResponse, SettingsByTypeList,
    TypePath, UpdateSettingRequest,
};

/// What this function holds while it lives.
#[derive(Clone)]
pub struct SettingsState {
    /// What every API function holds.
    pub app: App,
    /// Encrypts keys at rest.
    pub cipher: Cipher,
    /// Checks keys against their vendors.
    pub registry: Registry,
    /// Starts what a changed limit lets run.
    pub dispatcher: Dispatcher,
    /// Where webhooks may go.
    pub targets: TargetPolicy,
}

impl SettingsState {
    /// Reads the configuration and prepares the state; nothing is connected yet.
    pub fn read(env: &mut config::Env) -> Option<Self> {
        let (api, keys, queues) = (ApiConfig::read(env), env.encryption_keys(), Queues::read(env, &[EXECUTION]));
        let providers = env.executions().and_then(|execution| read_providers(env, &execution));
        let targets = env.webhook_targets();
        let (app, cipher) = (App::new(&api?), Cipher::with_keys(&keys?));
        let registry = Registry::new(app.db.clone(), cipher.clone(), providers?);
        let dispatcher = Dispatcher::new(app.db.clone(), queues?);
        Some(Self { app, cipher, registry, dispatcher, targets: targets? })
    }

    /// A changed limit takes effect at once. A lower one does as running executions end.
    async fn start_what_may_run(&self, changed: &Setting) {
        if let Setting::ProviderLimits { provider, .. } = changed {
            self.dispatcher.start(*provider).await;
        }
    }

    /// Refuses an address that webhooks may not go to (defect W-01), as far as that can be told without resolving it.
    fn check_target(&self, url: Option<&str>) -> ApiResult<()> {
        let checked = url.map_or(Ok(()), |url| self.targets.check(url).map(drop));
        checked.map_err(|error| ApiError::invalid(Issue::new(Part::Body, "data.url", error.to_string())))
    }

    fn show(&self, setting: Document<Setting>) -> SettingResponse {
        SettingResponse::showing(setting, &self.cipher)
    }
}

/// The routes of this function.
pub fn routes(state: SettingsState) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_settings, create_setting))
        .routes(routes!(list_settings_by_type))
        .routes(routes!(get_setting_by_identifier))
        .routes(routes!(get_setting, update_setting, delete_setting))
        .routes(routes!(rotate_setting_secret))
        .with_state(state)
}

/// `GET /api/v1/settings`: all settings, newest first.
#[utoipa::path(
    get, path = "/api/v1/settings", operation_id = "listSettings", tag = "settings",
    responses((status = 200, body = Data<SettingList>))
)]
async fn list_settings(State(state): State<SettingsState>) -> ApiResult<Data<SettingList>> {
    let found = settings::list(&state.app.db, None).await?;
    Ok(Data { data: SettingList { settings: found.into_iter().map(|setting| state.show(setting)).collect() } })
}

/// `POST /api/v1/settings`: stores a setting; an active provider key is tried at its vendor first.
#[utoipa::path(
    post, path = "/api/v1/settings", operation_id = "createSetting", tag = "settings",
    request_body = CreateSettingRequest,
    responses(
        (status = 201, body = Data<SettingResponse>),
        (status = 400, body = ErrorEnvelope), (status = 409, body = ErrorEnvelope)
    )
)]
async fn create_setting(
    State(state): State<SettingsState>,
    Json(body): Json<CreateSettingRequest>,
) -> ApiResult<Created<SettingResponse>> {
    let new: NewSetting = body.into();
    if let NewSetting::WebhookDestination { url, .. } = &new {
        state.check_target(Some(url))?;
    }
    if let NewSetting::LlmApiKey { provider, api_key, active } = &new {
        let (kind, name) = (SettingType::LlmApiKey, provider.as_str());
        if settings::find_by_identifier(&state.app.db, kind, name).await?.is_some() {
            return Err(SettingError::Taken(format!("a key for {name} exists already")).into());
        }
        if *active {
            state.registry.check_key(*provider, api_key).await.map_err(|error| not_accepted(name, &error))?;
        }
    }
    let created = settings::create(&state.app.db, &state.cipher, new, Timestamp::now()).await?;
    state.start_what_may_run(&created.setting.data).await;
    Ok(Created(state.show(created.setting).with_secret(created.secret)))
}

/// `GET /api/v1/settings/type/{type}`: the settings of one type, newest first.
#[utoipa::path(
    get, path = "/api/v1/settings/type/{type}", operation_id = "listSettingsByType", tag = "settings",
    params(TypePath),
    responses((status = 200, body = Data<SettingsByTypeList>))
)]
async fn list_settings_by_type(
    State(state): State<SettingsState>,
    Path(path): Path<TypePath>,
) -> ApiResult<Data<SettingsByTypeList>> {
    let found = settings::list(&state.app.db, Some(path.kind)).await?;
    let settings = found.into_iter().map(|setting| state.show(setting)).collect();
    Ok(Data { data: SettingsByTypeList { settings, kind: path.kind } })
}

/// `GET /api/v1/settings/type/{type}/identifier/{identifier}`: one setting by what identifies it within its type.
#[utoipa::path(
    get, path = "/api/v1/settings/type/{type}/identifier/{identifier}", operation_id = "getSettingByIdentifier",
    tag = "settings", params(IdentifierPath),
    responses((status = 200, body = Data<SettingResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn get_setting_by_identifier(
    State(state): State<SettingsState>,
    Path(path): Path<IdentifierPath>,
) -> ApiResult<Data<SettingResponse>> {
    let found = settings::find_by_identifier(&state.app.db, path.kind, &path.identifier).await?;
    Ok(Data { data: state.show(found.ok_or(SettingError::NotFound)?) })
}

/// `GET /api/v1/settings/{id}`: one setting.
#[utoipa::path(
    get, path = "/api/v1/settings/{id}", operation_id = "getSetting", tag = "settings", params(OpaqueIdPath),
    responses((status = 200, body = Data<SettingResponse>), (status = 404, body = ErrorEnvelope))
)]
async fn get_setting(
    State(state): State<SettingsState>,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Data<SettingResponse>> {
    let found = settings::find(&state.app.db, &path.id).await?.ok_or(SettingError::NotFound)?;
    Ok(Data { data: state.show(found) })
}

/// `PUT /api/v1/settings/{id}`: changes a setting; a new key of an active provider is tried first (defect S-01).
#[utoipa::path(
    put, path = "/api/v1/settings/{id}", operation_id = "updateSetting", tag = "settings", params(OpaqueIdPath),
    request_body = UpdateSettingRequest,
    responses(
        (status = 200, body = Data<SettingResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn update_setting(
    State(state): State<SettingsState>,
    Path(path): Path<OpaqueIdPath>,
    Json(body): Json<UpdateSettingRequest>,
) -> ApiResult<Data<SettingResponse>> {
    let (kind, edit) = body.into_edit();
    state.check_target(edit.url.as_deref())?;
    let found = settings::find(&state.app.db, &path.id).await?.ok_or(SettingError::NotFound)?;
    if let (Setting::LlmApiKey { provider, active, .. }, Some(key)) = (&found.data, &edit.api_key)
        && kind == SettingType::LlmApiKey
        && edit.active.unwrap_or(*active)
    {
        let checked = state.registry.check_key(*provider, key).await;
        checked.map_err(|error| not_accepted(provider.as_str(), &error))?;
    }
    match settings::update(&state.app.db, &state.cipher, found, kind, edit, Timestamp::now()).await {
        Ok(updated) => {
            state.start_what_may_run(&updated.data).await;
            Ok(Data { data: state.show(updated) })
        }
        // 409 is not among the declared answers of this operation (defect S-03).
        Err(taken @ SettingError::Taken(_)) => Err(ApiError::bad_request("Conflict", taken)),
        Err(error) => Err(error.into()),
    }
}

/// `DELETE /api/v1/settings/{id}`: deletes a setting.
#[utoipa::path(
    delete, path = "/api/v1/settings/{id}", operation_id = "deleteSetting", tag = "settings", params(OpaqueIdPath),
    responses((status = 200, body = Data<DeleteSettingResult>), (status = 404, body = ErrorEnvelope))
)]
async fn delete_setting(
    State(state): State<SettingsState>,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Data<DeleteSettingResult>> {
    let deleted = settings::delete(&state.app.db, &path.id).await?;
    state.start_what_may_run(&deleted).await;
    Ok(Data { data: DeleteSettingResult { success: true } })
}

/// `POST /api/v1/settings/{id}/rotate-secret`: gives a webhook destination a new signing secret. The one in force stays
/// valid beside it for 24 hours; what was valid before that ends at once.
#[utoipa::path(
    post, path = "/api/v1/settings/{id}/rotate-secret", operation_id = "rotateSettingSecret", tag = "settings",
    params(OpaqueIdPath),
    responses(
        (status = 200, body = Data<SettingResponse>),
        (status = 400, body = ErrorEnvelope), (status = 404, body = ErrorEnvelope)
    )
)]
async fn rotate_setting_secret(
    State(state): State<SettingsState>,
    Path(path): Path<OpaqueIdPath>,
) -> ApiResult<Data<SettingResponse>> {
    let rotated = settings::rotate_secret(&state.app.db, &state.cipher, &path.id, Timestamp::now()).await?;
    Ok(Data { data: state.show(rotated.setting).with_secret(rotated.secret) })
}

/// The vendor refused the key or could not be asked (defect S-05: with a message).
fn not_accepted(provider: &str, error: &ProviderError) -> ApiError {
    ApiError::bad_request(&format!("Provider {provider} is not available with this key"), error)
}

/// A key as answers show it: masked (decision S-02).
fn masked(cipher: &Cipher, stored: &str) -> String {
    let key = cipher.decrypt(stored).unwrap_or_else(|_| Secret::new(""));
    shared_core::secrets::mask(&key)
}
